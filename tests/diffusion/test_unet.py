"""The course's network: names, sizes and arithmetic."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from diffusion import UNet
from formats.architectures import unet_shapes


def test_the_courses_network_has_7966081_parameters() -> None:
    assert sum(parameter.numel() for parameter in UNet().parameters()) == 7_966_081


@pytest.mark.parametrize("width", [1, 32, 64])
def test_tensors_have_the_names_and_shapes_of_the_courses_checkpoint(width: int) -> None:
    tensors = {name: tuple(tensor.shape) for name, tensor in UNet(width).state_dict().items()}

    assert tensors == unet_shapes(width)


def test_a_few_names_and_shapes_are_spelled_out() -> None:
    tensors = UNet(64).state_dict()

    assert tensors["dconv_down1.0.weight"].shape == (64, 65, 3, 3)
    assert tensors["dconv_down4.2.bias"].shape == (512,)
    assert tensors["dconv_up3.0.weight"].shape == (256, 512 + 64 + 256, 3, 3)
    assert tensors["conv_last.weight"].shape == (1, 64, 1, 1)


def test_time_is_32_sines_and_32_cosines() -> None:
    table = UNet(4).time_embeddings

    assert table.shape == (1000, 64)
    for t in (0, 1, 500, 999):
        for k in (0, 7, 31):
            angle = 2 * math.pi * math.exp(math.log(1000) * k / 31) * t / 1000
            assert table[t, k].item() == pytest.approx(math.sin(angle), abs=1e-6)
            assert table[t, 32 + k].item() == pytest.approx(math.cos(angle), abs=1e-6)


def forward_by_hand(weights: dict[str, Tensor], z: Tensor, time: Tensor) -> Tensor:
    """The network once more, from its description, one plain operation after the other."""

    def double_conv(name: str, x: Tensor) -> Tensor:
        for index in (0, 2):
            weight, bias = weights[f"{name}.{index}.weight"], weights[f"{name}.{index}.bias"]
            x = functional.conv2d(x, weight, bias, padding=1).clamp(min=0)
        return x

    def up(x: Tensor) -> Tensor:
        size = 2 * x.shape[-1]
        where = torch.arange(size, dtype=x.dtype) * (x.shape[-1] - 1) / (size - 1)
        matrix = (1 - (where[:, None] - torch.arange(x.shape[-1])).abs()).clamp(min=0)
        return matrix @ x @ matrix.T

    def constant(size: int) -> Tensor:
        return time[:, :, None, None] * torch.ones(size, size, dtype=z.dtype)

    size = z.shape[-1]
    d1 = double_conv("dconv_down1", torch.cat([z, constant(size)], 1))
    d2 = double_conv("dconv_down2", d1.unfold(2, 2, 2).unfold(3, 2, 2).amax((-1, -2)))
    d3 = double_conv("dconv_down3", d2.unfold(2, 2, 2).unfold(3, 2, 2).amax((-1, -2)))
    d4 = double_conv("dconv_down4", d3.unfold(2, 2, 2).unfold(3, 2, 2).amax((-1, -2)))
    bottleneck = torch.cat([d4, constant(size // 8)], 1)
    u3 = double_conv("dconv_up3", torch.cat([up(bottleneck), d3], 1))
    u2 = double_conv("dconv_up2", torch.cat([up(u3), d2], 1))
    u1 = double_conv("dconv_up1", torch.cat([up(u2), d1], 1))
    return functional.conv2d(u1, weights["conv_last.weight"], weights["conv_last.bias"])


def test_the_forward_pass_is_the_courses(unet: Callable[[int], UNet]) -> None:
    model = unet(4).double()
    z = torch.randn(3, 1, 24, 24, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    t = torch.tensor([0, 400, 999])

    with torch.no_grad():
        found = model(z, t)
        expected = forward_by_hand(dict(model.state_dict()), z, model.time_embeddings[t].double())

    assert expected.std() > 0.01
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_the_timestep_changes_the_prediction(unet: Callable[[int], UNet]) -> None:
    z = torch.zeros(2, 1, 16, 16)

    with torch.no_grad():
        eps = unet(4)(z, torch.tensor([10, 900]))

    assert not torch.allclose(eps[0], eps[1], atol=1e-3)


def test_a_width_below_1_is_refused() -> None:
    with pytest.raises(ValueError, match="width must be at least 1, not 0"):
        UNet(0)
