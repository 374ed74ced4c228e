"""Small networks that take no time, and one thread for all of them."""

from collections.abc import Callable, Iterator

import pytest
import torch

from diffusion import UNet
from diffusion.training import initialize


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def unet() -> Callable[[int], UNet]:
    """Makes a network of a width, with random weights and biases, float32."""
    return _make_unet


def _make_unet(width: int) -> UNet:
    model = UNet(width)
    initialize(model, seed=0)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.normal_(0, 0.1, generator=generator)
    return model.eval()
