"""The tensors of the network whose features measure how alike two sets of faces are."""

FEATURES = 64  # numbers per face
HEADS = 26  # the age, 23 attributes of synthetic faces, blur and noise
_POOLED_CELLS = 9  # the last level's 6×6 cells, averaged to 3×3


def feature_network_shapes(width: int) -> dict[str, tuple[int, ...]]:
    """Give the tensors of the feature network.

    Args:
        width: channels of the first level, 32 in the bundled checkpoint.

    Returns:
        Name to shape, in the network's own order; 537,818 values in all at width 32.
    """
    convolutions = {
        "stem": (width, 1, 5, 5),
        "down2": (2 * width, width, 3, 3),
        "block2.first": (2 * width, 2 * width, 3, 3),
        "block2.second": (2 * width, 2 * width, 3, 3),
        "down3": (4 * width, 2 * width, 3, 3),
        "block3.first": (4 * width, 4 * width, 3, 3),
        "block3.second": (4 * width, 4 * width, 3, 3),
    }
    linears = {"embedding": (FEATURES, 4 * width * _POOLED_CELLS), "heads": (HEADS, FEATURES)}
    shapes: dict[str, tuple[int, ...]] = {"centre": (FEATURES,), "spread": (FEATURES,)}
    for name, shape in (convolutions | linears).items():
        shapes[f"{name}.weight"] = shape
        shapes[f"{name}.bias"] = shape[:1]
    return shapes
