"""The noise of devices is the noise of the CPU: its words bit by bit, its normals almost."""

import numpy as np
import pytest
import torch

from diffusion import Purpose, noise
from diffusion.device_noise import STEPS_AHEAD, DeviceNoise, device_philox
from diffusion.noise import random_words

CPU = torch.device("cpu")
CLOSE = 1e-14
LARGEST = 2**32 - 1


def as_tensor(numbers: list[int]) -> torch.Tensor:
    return torch.tensor(numbers, dtype=torch.long)


@pytest.mark.parametrize("seed", [0, 1, 2**31, 2**63 + 12345, 2**64 - 1])
def test_words_are_those_of_numpy_bit_by_bit(seed: int) -> None:
    images, step = [0, 1, 2**31, LARGEST], LARGEST
    expected = random_words(seed, images, step, 4 * 577, Purpose.STEP)

    blocks = torch.arange(577)[None]
    found = device_philox(
        (blocks, as_tensor([step])[None], as_tensor(images)[:, None], as_tensor([1])[None]), seed
    )

    for ours, theirs in zip(found, expected, strict=True):
        assert np.array_equal(ours.numpy().astype(np.uint64), theirs)


@pytest.mark.parametrize("shape", [(1, 48, 48), (7,)])
def test_normals_differ_in_the_last_digit_or_two_at_most(shape: tuple[int, ...]) -> None:
    images = [3, 9, 70000]
    made = DeviceNoise(5, images, shape, Purpose.STEP, CPU)

    for step in (0, 1, STEPS_AHEAD - 1, STEPS_AHEAD, 999, 4):
        expected = noise(5, images, step, shape, Purpose.STEP, dtype=torch.float64)
        found = made.of(step, torch.float64)

        torch.testing.assert_close(found, expected, rtol=CLOSE, atol=CLOSE)
        torch.testing.assert_close(made.of(step), expected.float(), rtol=2e-7, atol=1e-14)


def test_many_images_are_made_a_step_at_a_time() -> None:
    images = range(500)
    made = DeviceNoise(1, images, (1, 48, 48), Purpose.RENOISE, CPU)

    found = [made.of(step) for step in (7, 8)]

    for step, ours in zip((7, 8), found, strict=True):
        expected = noise(1, images, step, (1, 48, 48), Purpose.RENOISE)
        torch.testing.assert_close(ours, expected, rtol=2e-7, atol=1e-14)


@pytest.mark.parametrize(("seed", "image"), [(-1, 0), (2**64, 0), (0, -1), (0, 2**32)])
def test_numbers_outside_their_words_are_refused(seed: int, image: int) -> None:
    with pytest.raises(ValueError, match=r"must be within 0 and 2\*\*"):
        DeviceNoise(seed, [image], (4,), Purpose.STEP, CPU)
