"""Random numbers as a function: of the seed, the image, the step and what they are for.

Source: Salmon et al. 2011, Parallel random numbers: as easy as 1, 2, 3 (Philox4x32-10).
"""

from collections.abc import Sequence
from enum import IntEnum
from math import prod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Words = NDArray[np.uint64]  # each entry holds one 32-bit word

WORD = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)
MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
WEYL = (0x9E3779B9, 0xBB67AE85)
ROUNDS = 10
LARGEST_WORD = 2**32 - 1
LARGEST_SEED = 2**64 - 1


class Purpose(IntEnum):
    """What random numbers are for; part of every seed's meaning, so that no number ever changes."""

    START = 0
    STEP = 1
    RENOISE = 2
    TRAINING_TIMESTEP = 3
    TRAINING_NOISE = 4
    DATA_ORDER = 5
    AUGMENTATION = 6
    INITIALIZATION = 7
    PRIOR = 8
    HOLDOUT = 9
    HOLDOUT_TIMESTEP = 10
    HOLDOUT_NOISE = 11
    REPAINT = 12
    SHIFT = 14


def philox(counter: tuple[Words, Words, Words, Words], seed: int) -> tuple[Words, ...]:
    """Philox4x32-10 of many counters under one key.

    Args:
        counter: four broadcastable arrays of words within 0 and 2**32 − 1.
        seed: the key, within 0 and 2**64 − 1; its low word comes first.

    Returns:
        Four arrays of words, of the counters' common shape.
    """
    c0, c1, c2, c3 = counter
    low, high = seed & LARGEST_WORD, seed >> 32
    for _ in range(ROUNDS):
        even, odd = c0 * MULTIPLIERS[0], c2 * MULTIPLIERS[1]
        c0, c1 = (odd >> HALF) ^ c1 ^ np.uint64(low), odd & WORD
        c2, c3 = (even >> HALF) ^ c3 ^ np.uint64(high), even & WORD
        low, high = (low + WEYL[0]) & LARGEST_WORD, (high + WEYL[1]) & LARGEST_WORD
    return c0, c1, c2, c3


def random_words(
    seed: int, image_indices: Sequence[int], step: int | Sequence[int], count: int, purpose: Purpose
) -> tuple[Words, ...]:
    """The words of counters (element // 4, step, image index, purpose).

    Args:
        seed: within 0 and 2**64 − 1.
        image_indices: of n images, each within 0 and 2**32 − 1.
        step: of all images, or one for each.
        count: elements for each image.
        purpose: what they are for.

    Returns:
        Four arrays (n, ceil(count / 4)): the words of elements 0, 1, 2, 3 of each block.

    Raises:
        ValueError: a number is outside its range.
    """
    check_seed(seed)
    blocks = np.arange(-(-count // 4), dtype=np.uint64)
    steps = [step] * len(image_indices) if isinstance(step, int) else step
    columns = word_column(image_indices, "an image index"), word_column(steps, "a step")
    images, at = np.broadcast_arrays(*columns)
    return philox((blocks[None, :], at, images, np.full_like(images, purpose)), seed)


def uniforms(
    seed: int, image_indices: Sequence[int], step: int | Sequence[int], count: int, purpose: Purpose
) -> NDArray[np.float64]:
    """Numbers within 0 and 1, both excluded: float64 (n, count). Arguments as of `random_words`."""
    words = random_words(seed, image_indices, step, count, purpose)
    return np.stack([_unit(w) for w in words], axis=-1).reshape(len(image_indices), -1)[:, :count]


def noise(
    seed: int,
    image_indices: Sequence[int],
    step: int | Sequence[int],
    shape: Sequence[int],
    purpose: Purpose,
    *,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Standard normal noise of n images, whoever asks for them and in whichever company.

    Words become normals by Box and Muller's rule in float64, rounded once to `dtype`.

    Args:
        seed: the job's, within 0 and 2**64 − 1.
        image_indices: of n images within their job, each within 0 and 2**32 − 1.
        step: of all images, or one for each.
        shape: of one image, such as (1, 48, 48).
        purpose: what the noise is for.
        dtype: float32 or float64.

    Returns:
        (n, *shape) on the CPU.

    Raises:
        ValueError: a number is outside its range.
    """
    count = prod(shape)
    w0, w1, w2, w3 = random_words(seed, image_indices, step, count, purpose)
    normals = np.empty((*w0.shape, 4))
    for first, (radius_word, angle_word) in enumerate([(w0, w1), (w2, w3)]):
        radius = np.sqrt(-2 * np.log(_unit(radius_word)))
        angle = 2 * np.pi * _unit(angle_word)
        np.multiply(radius, np.cos(angle), out=normals[..., 2 * first])
        np.multiply(radius, np.sin(angle), out=normals[..., 2 * first + 1])
    rows = normals.reshape(len(image_indices), -1)[:, :count]
    return torch.from_numpy(rows).to(dtype).reshape(-1, *shape)


def _unit(words: Words) -> NDArray[np.float64]:
    return (words.astype(np.float64) + 0.5) * 2.0**-32


def check_seed(seed: int) -> None:
    """Refuse a seed that is no 64-bit word.

    Raises:
        ValueError: it is outside 0 and 2**64 − 1.
    """
    if not 0 <= seed <= LARGEST_SEED:
        raise ValueError(f"seed must be within 0 and 2**64 - 1, not {seed}")


def word_column(numbers: Sequence[int], what: str) -> Words:
    """Numbers below each other, (n, 1).

    Raises:
        ValueError: one is outside 0 and 2**32 − 1.
    """
    column = np.asarray(numbers, dtype=np.int64).reshape(-1, 1)
    if column.size and (column.min() < 0 or column.max() > LARGEST_WORD):
        raise ValueError(f"{what} must be within 0 and 2**32 - 1, not {numbers}")
    return column.astype(np.uint64)
