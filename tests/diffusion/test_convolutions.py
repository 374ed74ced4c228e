"""The short ways give what the long ones give: values, gradients and layout."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from diffusion.convolutions import convolve_beside_constants, convolve_doubled

SIZES = [(8, 8), (3, 5), (1, 2)]


def draw(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64).requires_grad_()


def as_pictures(constants: Tensor, height: int, width: int) -> Tensor:
    return constants[:, :, None, None].expand(-1, -1, height, width)


def assert_same(found: Tensor, expected: Tensor, inputs: list[Tensor]) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    weights = torch.randn_like(expected)
    for ours, theirs in zip(
        torch.autograd.grad((found * weights).sum(), inputs),
        torch.autograd.grad((expected * weights).sum(), inputs),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-11, atol=1e-11)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_constants_are_convolved_as_channels_are(channels: int, height: int, width: int) -> None:
    conv = nn.Conv2d(channels + 6, 4, 3, padding=1).double()
    x, constants = draw(3, channels, height, width), draw(3, 6)

    found = convolve_beside_constants(x, constants, conv)

    expected = conv(torch.cat([x, as_pictures(constants, height, width)], dim=1))
    assert_same(found, expected, [x, constants, *conv.parameters()])


@pytest.mark.parametrize("has_constants", [False, True])
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_what_is_doubled_is_convolved_as_torch_doubles_it(
    has_constants: bool, height: int, width: int
) -> None:
    conv = nn.Conv2d(5 + 6 * has_constants + 2, 4, 3, padding=1).double()
    x, skip = draw(3, 5, height, width), draw(3, 2, 2 * height, 2 * width)
    constants = draw(3, 6) if has_constants else None

    found = convolve_doubled(x, skip, conv, constants)

    small = [x] if constants is None else [x, as_pictures(constants, height, width)]
    doubled = functional.interpolate(
        torch.cat(small, dim=1), scale_factor=2, mode="bilinear", align_corners=True
    )
    expected = conv(torch.cat([doubled, skip], dim=1))
    inputs = [x, skip, *conv.parameters()] + ([] if constants is None else [constants])
    assert_same(found, expected, inputs)


def test_what_comes_out_is_channels_last() -> None:
    conv = nn.Conv2d(16 + 8, 4, 3, padding=1).to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch lacks it
    x = torch.randn(2, 16, 6, 6).to(memory_format=torch.channels_last)
    skip = torch.randn(2, 8, 12, 12).to(memory_format=torch.channels_last)

    for y in (
        convolve_doubled(x, skip, conv),
        convolve_beside_constants(x, skip[:, :, 0, 0], conv),
    ):
        assert y.is_contiguous(memory_format=torch.channels_last)


def test_what_was_first_computed_without_gradients_can_be_trained() -> None:
    conv = nn.Conv2d(3 + 2, 4, 3, padding=1)
    x, skip = torch.randn(1, 3, 7, 7), torch.randn(1, 2, 14, 14)

    with torch.inference_mode():
        convolve_doubled(x, skip, conv)
    convolve_doubled(x.requires_grad_(), skip, conv).sum().backward()

    assert x.grad is not None
    assert conv.weight.grad is not None
