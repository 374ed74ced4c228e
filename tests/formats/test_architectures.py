import math

import pytest

from formats.architectures import MAX_WIDTH, identify, tensor_shapes, unet_shapes
from formats.errors import UnknownArchitectureError, WrongShapeError, WrongTensorsError


def test_the_course_network_has_its_published_number_of_parameters() -> None:
    assert sum(math.prod(shape) for shape in unet_shapes(64).values()) == 7_966_081


def test_the_time_embedding_stays_64_wide_at_every_width() -> None:
    shapes = unet_shapes(16)

    assert shapes["dconv_down1.0.weight"] == (16, 1 + 64, 3, 3)
    assert shapes["dconv_up3.0.weight"] == (64, 128 + 64 + 64, 3, 3)


@pytest.mark.parametrize("width", [1, 2, 32, 64, MAX_WIDTH])
def test_a_network_is_recognised_with_its_width(width: int) -> None:
    assert identify(tensor_shapes("unet", width)) == ("unet", width)


def test_foreign_tensors_are_of_no_known_architecture() -> None:
    with pytest.raises(UnknownArchitectureError, match=r"fc\.weight.*known are: unet"):
        identify({"fc.weight": (10, 10), "fc.bias": (10,)})


def test_no_tensors_are_of_no_known_architecture() -> None:
    with pytest.raises(UnknownArchitectureError, match="none"):
        identify({})


def test_missing_and_extra_tensors_are_named() -> None:
    shapes = unet_shapes(4)
    del shapes["conv_last.bias"]
    shapes["conv_first.bias"] = (1,)

    with pytest.raises(WrongTensorsError, match=r"lacks conv_last\.bias.*unknown conv_first\.bias"):
        identify(shapes)


@pytest.mark.parametrize("name", list(unet_shapes(4)))
def test_the_one_tensor_of_a_wrong_shape_is_named_with_what_it_must_be(name: str) -> None:
    shapes = unet_shapes(4)
    expected = shapes[name]
    shapes[name] = (*expected[:-1], expected[-1] + 1)

    with pytest.raises(WrongShapeError) as caught:
        identify(shapes)

    assert f"width 4: {name} is {shapes[name]} and must be {expected}" in str(caught.value)
    assert "more" not in str(caught.value)


def test_shapes_without_any_width_are_wrong() -> None:
    with pytest.raises(WrongShapeError, match="must be a width"):
        identify(dict.fromkeys(unet_shapes(4), ()))


def test_a_network_wider_than_allowed_is_wrong() -> None:
    with pytest.raises(WrongShapeError, match=f"within 1 and {MAX_WIDTH}"):
        identify(unet_shapes(MAX_WIDTH + 1))


def test_an_unknown_name_has_no_shapes() -> None:
    with pytest.raises(UnknownArchitectureError, match="'vae'; known are unet"):
        tensor_shapes("vae", 64)
