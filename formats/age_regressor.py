"""The tensors of the network that tells the age of noised faces."""

SQUARED_ERRORS = "mse_by_twentieth"  # the metric that a description holds, in years²
HIDDEN = 128  # units of the head
GROUPS = 8  # of each normalisation, or what divides its channels
POOLED_CELLS = 9  # the last level's 6×6 cells, averaged to 3×3
TIME_EMBEDDING_WIDTH = 64  # channels; the same at every width of the network


def age_regressor_shapes(width: int) -> dict[str, tuple[int, ...]]:
    """Give the tensors of the age regressor: the U-Net's downward half, normalised, and a head.

    Args:
        width: channels of the first level, 64 in the course.

    Returns:
        Name to shape, in the network's own order.
    """
    double_convs = {
        "dconv_down1": (1 + TIME_EMBEDDING_WIDTH, width),
        "dconv_down2": (width, 2 * width),
        "dconv_down3": (2 * width, 4 * width),
        "dconv_down4": (4 * width, 8 * width),
    }
    shapes: dict[str, tuple[int, ...]] = {}
    for name, (channels_in, channels_out) in double_convs.items():
        shapes[f"{name}.0.weight"] = (channels_out, channels_in, 3, 3)
        shapes[f"{name}.0.bias"] = (channels_out,)
        shapes[f"{name}.2.weight"] = (channels_out, channels_out, 3, 3)
        shapes[f"{name}.2.bias"] = (channels_out,)
    for place, level in enumerate((1, 1, 2, 2, 4, 4, 8, 8)):
        shapes[f"norms.{place}.weight"] = shapes[f"norms.{place}.bias"] = (level * width,)
    shapes["hidden.weight"] = (HIDDEN, POOLED_CELLS * 8 * width + TIME_EMBEDDING_WIDTH)
    shapes["hidden.bias"] = (HIDDEN,)
    shapes["age.weight"] = (1, HIDDEN)
    shapes["age.bias"] = (1,)
    return shapes
