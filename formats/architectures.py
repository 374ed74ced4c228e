"""The tensors of each known architecture: names and shapes as functions of its width."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from formats.age_judge import age_judge_shapes
from formats.age_regressor import age_regressor_shapes
from formats.errors import UnknownArchitectureError, WrongShapeError, WrongTensorsError
from formats.faces import FACE_SIZE
from formats.feature_network import feature_network_shapes

Shape = tuple[int, ...]

TIME_EMBEDDING_WIDTH = 64  # channels; the same at every width of the network
MAX_WIDTH = 256
COURSE_WIDTH = 64
MAX_PRIOR_COMPONENTS = 64
_NAMES_SHOWN = 3


@dataclass(frozen=True)
class OptionalTensors:
    """Tensors that a checkpoint may hold beside its network's: all of them or none.

    Attributes:
        shapes: gives every tensor's name and shape for a size.
        size_axis: a tensor, and the axis whose length is the size.
        max_size: the largest size; the smallest is 1.
    """

    shapes: Callable[[int], dict[str, Shape]]
    size_axis: tuple[str, int]
    max_size: int


@dataclass(frozen=True)
class Architecture:
    """One architecture and how to read its width off its tensors.

    Attributes:
        name: the word that descriptions and the contract use.
        shapes: gives every tensor's name and shape for a width.
        width_axes: tensors, each with the axis whose size is the width.
        optional: groups of tensors that a checkpoint may have besides.
    """

    name: str
    shapes: Callable[[int], dict[str, Shape]]
    width_axes: Mapping[str, int]
    optional: tuple[OptionalTensors, ...] = ()


def unet_shapes(width: int) -> dict[str, Shape]:
    """Give the tensors of the course's U-Net, the noise predictor.

    Args:
        width: channels of the first level, 64 in the course.

    Returns:
        Name to shape, in the network's own order; 7,966,081 values in all at width 64.
    """
    double_convs = {
        "dconv_down1": (1 + TIME_EMBEDDING_WIDTH, width),
        "dconv_down2": (width, 2 * width),
        "dconv_down3": (2 * width, 4 * width),
        "dconv_down4": (4 * width, 8 * width),
        "dconv_up3": (8 * width + TIME_EMBEDDING_WIDTH + 4 * width, 4 * width),
        "dconv_up2": (4 * width + 2 * width, 2 * width),
        "dconv_up1": (2 * width + width, width),
    }
    shapes: dict[str, Shape] = {}
    for name, (channels_in, channels_out) in double_convs.items():
        shapes[f"{name}.0.weight"] = (channels_out, channels_in, 3, 3)
        shapes[f"{name}.0.bias"] = (channels_out,)
        shapes[f"{name}.2.weight"] = (channels_out, channels_out, 3, 3)
        shapes[f"{name}.2.bias"] = (channels_out,)
    shapes["conv_last.weight"] = (1, width, 1, 1)
    shapes["conv_last.bias"] = (1,)
    return shapes


def prior_shapes(components: int) -> dict[str, Shape]:
    """Give the tensors of a data prior: mean face, principal components and their deviations."""
    return {
        "prior.mean": (FACE_SIZE, FACE_SIZE),
        "prior.components": (components, FACE_SIZE, FACE_SIZE),
        "prior.deviations": (components,),
    }


PRIOR = OptionalTensors(prior_shapes, ("prior.deviations", 0), MAX_PRIOR_COMPONENTS)
UNET = Architecture(
    name="unet",
    shapes=unet_shapes,
    width_axes={"dconv_down1.0.bias": 0, "dconv_down1.2.weight": 1, "conv_last.weight": 1},
    optional=(PRIOR,),
)
FACE_FEATURES = Architecture(
    name="face_features",
    shapes=feature_network_shapes,
    width_axes={"stem.bias": 0, "down2.weight": 1},
)
AGE_REGRESSOR = Architecture(
    name="age_regressor",
    shapes=age_regressor_shapes,
    width_axes={"dconv_down1.0.bias": 0, "dconv_down1.2.weight": 1},
)
AGE_JUDGE = Architecture(
    name="age_judge",
    shapes=age_judge_shapes,
    width_axes={"stem.norm.bias": 0, "down2.convolution.weight": 1},
)
ARCHITECTURES: Mapping[str, Architecture] = {
    known.name: known for known in (UNET, AGE_REGRESSOR, AGE_JUDGE, FACE_FEATURES)
}


def tensor_shapes(architecture: str, width: int) -> dict[str, Shape]:
    """Give the name and shape of every tensor that a known architecture must have.

    Raises:
        UnknownArchitectureError: no architecture has this name.
        WrongShapeError: the width is not within 1 and MAX_WIDTH.
    """
    if architecture not in ARCHITECTURES:
        raise UnknownArchitectureError(
            f"unknown architecture {architecture!r}; known are {', '.join(ARCHITECTURES)}"
        )
    if not 1 <= width <= MAX_WIDTH:
        raise WrongShapeError(f"width must be within 1 and {MAX_WIDTH}, not {width}")
    return ARCHITECTURES[architecture].shapes(width)


def identify(shapes: Mapping[str, Shape]) -> tuple[str, int]:
    """Tell which architecture a checkpoint's tensors are, and its width.

    Args:
        shapes: name to shape of every tensor in the checkpoint.

    Returns:
        The architecture's name and its width.

    Raises:
        UnknownArchitectureError: the names belong to no known architecture.
        WrongTensorsError: most names are right, but some are missing or unknown.
        WrongShapeError: the names are right, but some shapes are not.
    """
    names = set(shapes)
    architecture = max(ARCHITECTURES.values(), key=lambda known: _share_found(known, names))
    if 2 * _share_found(architecture, names) < 1:
        raise UnknownArchitectureError(
            f"the tensors ({_some(sorted(names))}) belong to no known architecture; known are: "
            + ", ".join(ARCHITECTURES)
        )
    _check_names(architecture, names)
    for group in architecture.optional:
        if group.size_axis[0] in names:
            _check_optional(group, shapes)
    return architecture.name, _read_width(architecture, shapes)


def _share_found(architecture: Architecture, names: set[str]) -> float:
    expected = set(architecture.shapes(COURSE_WIDTH))
    return len(names & expected) / len(expected)


def _check_names(architecture: Architecture, names: set[str]) -> None:
    expected = set(architecture.shapes(COURSE_WIDTH))
    rule = f"it must hold exactly the {len(expected)} tensors of the architecture"
    for group in architecture.optional:
        optional = group.shapes(1)
        rule += f", and may hold {', '.join(optional)}, all or none"
        if names & set(optional):
            expected |= set(optional)
    complaints = []
    if missing := sorted(expected - names):
        complaints.append(f"lacks {_some(missing)}")
    if extra := sorted(names - expected):
        complaints.append(f"has the unknown {_some(extra)}")
    if complaints:
        raise WrongTensorsError(
            f"this {architecture.name} checkpoint {' and '.join(complaints)}; {rule}"
        )


def _check_optional(group: OptionalTensors, shapes: Mapping[str, Shape]) -> None:
    name, axis = group.size_axis
    size = shapes[name][axis] if axis < len(shapes[name]) else 0
    if not 1 <= size <= group.max_size:
        raise WrongShapeError(
            f"{name} has the shape {shapes[name]}, whose axis {axis} must be within 1 and "
            f"{group.max_size}"
        )
    if wrong := _wrong_shapes(group.shapes(size), shapes):
        raise WrongShapeError(_some(wrong))


def _read_width(architecture: Architecture, shapes: Mapping[str, Shape]) -> int:
    """Choose the width that most tensors agree with, so that a message names the odd ones."""
    widths = {
        shapes[name][axis]
        for name, axis in architecture.width_axes.items()
        if axis < len(shapes[name]) and 1 <= shapes[name][axis] <= MAX_WIDTH
    }
    if not widths:
        name, axis = next(iter(architecture.width_axes.items()))
        raise WrongShapeError(
            f"{name} has the shape {shapes[name]}, whose axis {axis} must be a width "
            f"within 1 and {MAX_WIDTH}"
        )
    width = min(widths, key=lambda width: len(_wrong_shapes(architecture.shapes(width), shapes)))
    wrong = _wrong_shapes(architecture.shapes(width), shapes)
    if wrong:
        raise WrongShapeError(
            f"not the shapes of a {architecture.name} of width {width}: {_some(wrong)}"
        )
    return width


def _wrong_shapes(expected: Mapping[str, Shape], shapes: Mapping[str, Shape]) -> list[str]:
    return [
        f"{name} is {shapes[name]} and must be {shape}"
        for name, shape in expected.items()
        if shapes[name] != shape
    ]


def _some(items: Iterable[str]) -> str:
    everything = list(items)
    shown = ", ".join(item[:100] for item in everything[:_NAMES_SHOWN])
    rest = len(everything) - _NAMES_SHOWN
    return f"{shown} and {rest} more" if rest > 0 else shown or "none"
