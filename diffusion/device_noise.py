"""The numbers of `diffusion.noise`, made where they are needed: on any device, without a copy."""

from collections.abc import Callable, Sequence
from math import pi, prod

import numpy as np
import torch
from torch import Tensor

from diffusion.noise import (
    LARGEST_WORD,
    MULTIPLIERS,
    ROUNDS,
    WEYL,
    Purpose,
    check_seed,
    noise,
    word_column,
)

BITS = 32
STEPS_AHEAD = 16
ELEMENTS_AHEAD = 2**20


class DeviceNoise:
    """Standard normal noise of n images, made for some steps at once: few rows fill no GPU."""

    def __init__(
        self,
        seed: int,
        image_indices: Sequence[int],
        shape: Sequence[int],
        purpose: Purpose,
        device: torch.device,
    ) -> None:
        """Make noise for these images; arguments and errors as of `diffusion.noise.noise`."""
        check_seed(seed)
        self._seed, self._purpose, self._shape = seed, purpose, tuple(shape)
        images = word_column(image_indices, "an image index").astype(np.int64)[:, 0]
        self._images = torch.from_numpy(images).to(device)
        elements = max(1, len(image_indices) * prod(shape))
        self._ahead = min(STEPS_AHEAD, max(1, ELEMENTS_AHEAD // elements))
        self._first = 0
        self._noise: Tensor | None = None

    def of(self, step: int, dtype: torch.dtype = torch.float32) -> Tensor:
        """The noise of a step, on the device: (n, *shape)."""
        if self._noise is None or not 0 <= step - self._first < self._ahead:
            steps = torch.arange(step, step + self._ahead, device=self._images.device)
            counters = torch.cartesian_prod(steps, self._images)
            normals = device_normals(
                self._seed, counters[:, 1], counters[:, 0], prod(self._shape), self._purpose
            )
            self._first = step
            self._noise = normals.view(self._ahead, len(self._images), *self._shape)
        return self._noise[step - self._first].to(dtype)


def noise_maker(
    seed: int, image_indices: Sequence[int], like: Tensor, purpose: Purpose
) -> Callable[[int], Tensor]:
    """A function of the step that gives noise of these images, made where `like` is.

    Args:
        seed: within 0 and 2**64 − 1.
        image_indices: of n images within their job, each within 0 and 2**32 − 1.
        like: (n, *shape), float32 or float64: shape, dtype and device of the noise.
        purpose: what the noise is for.
    """
    shape = like.shape[1:]
    if like.device.type == "cpu":
        return lambda step: noise(seed, image_indices, step, shape, purpose, dtype=like.dtype)
    made_there = DeviceNoise(seed, image_indices, shape, purpose, like.device)
    return lambda step: made_there.of(step, like.dtype)


def device_normals(
    seed: int, images: Tensor, steps: Tensor, count: int, purpose: Purpose
) -> Tensor:
    """Standard normals, of Philox's words by Box and Muller's rule.

    Args:
        seed: within 0 and 2**64 − 1.
        images: their indices, int64 (n,), on the device.
        steps: one for each image, int64 (n,), likewise.
        count: elements for each image.
        purpose: what they are for.

    Returns:
        float64 (n, count) on the device: those of `diffusion.noise` to the last digit or two.
    """
    blocks = torch.arange(-(-count // 4), device=images.device)[None]
    purposes = torch.full_like(images, purpose)
    words = device_philox((blocks, steps[:, None], images[:, None], purposes[:, None]), seed)
    normals = []
    for radius_word, angle_word in (words[:2], words[2:]):
        radius = (-2 * _unit(radius_word).log()).sqrt()
        angle = 2 * pi * _unit(angle_word)
        normals += [radius * angle.cos(), radius * angle.sin()]
    return torch.stack(normals, dim=-1).flatten(1)[:, :count]


def device_philox(counter: tuple[Tensor, ...], seed: int) -> tuple[Tensor, ...]:
    """`diffusion.noise.philox` of broadcastable int64 tensors that hold a word in each entry."""
    c0, c1, c2, c3 = counter
    low, high = seed & LARGEST_WORD, seed >> BITS
    multiplier_0, multiplier_1 = (int(multiplier) for multiplier in MULTIPLIERS)
    for _ in range(ROUNDS):
        # Products wrap around to negative numbers; their bits are right all the same.
        even, odd = c0 * multiplier_0, c2 * multiplier_1
        c0, c1 = _high(odd) ^ c1 ^ low, odd & LARGEST_WORD
        c2, c3 = _high(even) ^ c3 ^ high, even & LARGEST_WORD
        low, high = (low + WEYL[0]) & LARGEST_WORD, (high + WEYL[1]) & LARGEST_WORD
    return c0, c1, c2, c3


def _high(products: Tensor) -> Tensor:
    return (products >> BITS) & LARGEST_WORD


def _unit(words: Tensor) -> Tensor:
    return (words.double() + 0.5) * 2.0**-BITS
