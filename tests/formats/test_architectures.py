import math

import pytest

from formats.architectures import (
    MAX_WIDTH,
    identify,
    prior_shapes,
    tensor_shapes,
    unet_shapes,
)
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
    with pytest.raises(UnknownArchitectureError, match="'vae'; known are unet, age_regressor"):
        tensor_shapes("vae", 64)


@pytest.mark.parametrize("components", [1, 16, 64])
def test_a_network_may_bring_the_prior_of_its_data(components: int) -> None:
    assert identify(unet_shapes(8) | prior_shapes(components)) == ("unet", 8)


@pytest.mark.parametrize("name", list(prior_shapes(1)))
def test_a_prior_is_whole_or_not_there(name: str) -> None:
    shapes = unet_shapes(8) | prior_shapes(16)
    del shapes[name]

    with pytest.raises(WrongTensorsError, match=rf"unet checkpoint lacks {name}; .*all or none"):
        identify(shapes)


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("prior.mean", (2304,), r"prior\.mean is \(2304,\) and must be \(48, 48\)"),
        ("prior.components", (15, 48, 48), r"prior\.components is .* must be \(16, 48, 48\)"),
        ("prior.deviations", (15,), r"prior\.components is .* must be \(15, 48, 48\)"),
        ("prior.deviations", (), r"prior\.deviations has the shape \(\), .* within 1 and 64"),
        ("prior.deviations", (0,), r"within 1 and 64"),
        ("prior.deviations", (65,), r"within 1 and 64"),
        ("prior.deviations", (16, 1), r"prior\.deviations is \(16, 1\) and must be \(16,\)"),
    ],
)
def test_a_prior_of_wrong_shapes_is_refused(
    name: str, shape: tuple[int, ...], message: str
) -> None:
    with pytest.raises(WrongShapeError, match=message):
        identify(unet_shapes(8) | prior_shapes(16) | {name: shape})


def test_a_prior_alone_is_no_network() -> None:
    with pytest.raises(UnknownArchitectureError, match=r"prior\.components"):
        identify(prior_shapes(16))
