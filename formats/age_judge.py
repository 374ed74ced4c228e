"""The tensors of the judge: the network that tells the age of clean faces."""

HIDDEN = 64  # values between the convolutions and the age
_KERNEL_OF_STEM = 4
_POOLED_CELLS = 9  # the last level's 6×6 cells, averaged to 3×3


def age_judge_shapes(width: int) -> dict[str, tuple[int, ...]]:
    """Give the tensors of the judge.

    Args:
        width: channels of the first level, 24 in the bundled checkpoint.

    Returns:
        Name to shape, in the network's own order; 483,489 values in all at width 24.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    _normalized(shapes, "stem", (width, 1, _KERNEL_OF_STEM, _KERNEL_OF_STEM))
    _normalized(shapes, "down2", (2 * width, width, 3, 3))
    _block(shapes, "block2", 2 * width)
    _normalized(shapes, "down3", (4 * width, 2 * width, 3, 3))
    _block(shapes, "block3", 4 * width)
    _block(shapes, "block4", 4 * width)
    pooled = 4 * width * _POOLED_CELLS
    for name, shape in {"hidden": (HIDDEN, pooled), "age": (1, HIDDEN)}.items():
        shapes[f"{name}.weight"] = shape
        shapes[f"{name}.bias"] = shape[:1]
    return shapes


def _block(shapes: dict[str, tuple[int, ...]], name: str, channels: int) -> None:
    for part in ("first", "second"):
        _normalized(shapes, f"{name}.{part}", (channels, channels, 3, 3))


def _normalized(shapes: dict[str, tuple[int, ...]], name: str, shape: tuple[int, ...]) -> None:
    """A convolution without bias and its batch normalisation."""
    shapes[f"{name}.convolution.weight"] = shape
    for values in ("weight", "bias", "running_mean", "running_var"):
        shapes[f"{name}.norm.{values}"] = shape[:1]
