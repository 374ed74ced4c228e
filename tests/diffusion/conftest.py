"""Small networks that take no time, and one thread for all of them."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from diffusion import UNet
from diffusion.initialization import initialize


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


@pytest.fixture
def wavy_faces() -> Callable[..., NDArray[np.uint8]]:
    """Makes pictures to train on, (count, size, size), each of one wave and its own brightness."""
    return _make_wavy_faces


def _make_wavy_faces(count: int, size: int = 16, seed: int = 0) -> NDArray[np.uint8]:
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] / size
    phase, turn = random.uniform(0, 2 * np.pi, (2, count, 1, 1))
    waves = np.sin(2 * np.pi * (np.cos(turn) * x + np.sin(turn) * y) + phase)
    return (127.5 + 100 * waves + random.uniform(-20, 20, (count, 1, 1))).astype(np.uint8)
