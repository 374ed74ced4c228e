"""Laid-out weights give the same bytes, and a PyTorch that cannot lay them out is no failure."""

import copy
import logging
from collections.abc import Callable

import pytest
import torch

import diffusion.packed
from diffusion import UNet, has_fast_bfloat16
from diffusion.packed import PackedDoubledConv2d, pack

pytestmark = pytest.mark.skipif(
    not has_fast_bfloat16(torch.device("cpu")), reason="this CPU has no bfloat16 instructions"
)


@pytest.fixture
def network(unet: Callable[[int], UNet]) -> UNet:
    made = unet(16).requires_grad_(False)
    made.round_to(torch.bfloat16)
    return made.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch lacks it


def predict(network: UNet, images: int, size: int = 48) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    eps: torch.Tensor = network(
        torch.randn(images, 1, size, size, generator=generator), torch.arange(images) * 30
    )
    return eps


@pytest.mark.parametrize(("images", "size"), [(1, 48), (7, 48), (25, 48), (2, 16)])
def test_a_packed_network_predicts_the_same_bytes(network: UNet, images: int, size: int) -> None:
    packed = copy.deepcopy(network)

    pack(packed)

    assert isinstance(packed.dconv_up1[0], PackedDoubledConv2d)
    assert torch.equal(predict(packed, images, size), predict(network, images, size))


def test_what_pytorch_cannot_do_leaves_the_network_as_it_is(
    network: UNet, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def missing(*_: object) -> None:
        raise AttributeError("no such operator")

    expected = predict(network, 2)
    monkeypatch.setattr(diffusion.packed.PackedConv2d, "forward", missing)

    with caplog.at_level(logging.WARNING):
        pack(network)

    assert "no such operator" in caplog.text
    assert torch.equal(predict(network, 2), expected)
