"""Noise is a function of seed, image, step and purpose, the same in every company."""

import math

import numpy as np
import pytest
import torch

from diffusion import Purpose, noise
from diffusion.noise import philox, random_words, uniforms

FACE = (1, 48, 48)


@pytest.mark.parametrize(
    ("counter", "seed", "words"),
    [
        ((0, 0, 0, 0), 0, (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((2**32 - 1,) * 4, 2**64 - 1, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            0x299F31D0_A4093822,
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_philox_gives_the_known_answers_of_random123(
    counter: tuple[int, ...], seed: int, words: tuple[int, ...]
) -> None:
    c0, c1, c2, c3 = (np.array([word], np.uint64) for word in counter)

    found = philox((c0, c1, c2, c3), seed)

    assert tuple(int(word[0]) for word in found) == words


def test_a_word_belongs_to_its_block_step_image_and_purpose() -> None:
    words = random_words(12345, [3, 8], 17, 12, Purpose.STEP)

    for row, image in enumerate([3, 8]):
        for block in range(3):
            c0, c1, c2, c3 = (np.array([n], np.uint64) for n in (block, 17, image, Purpose.STEP))
            alone = philox((c0, c1, c2, c3), 12345)
            assert [w[row, block] for w in words] == [w[0] for w in alone]


def test_normals_follow_box_and_muller_from_the_words() -> None:
    w0, w1, w2, w3 = (int(w[0, 1]) for w in random_words(7, [5], 2, 8, Purpose.START))

    values = noise(7, [5], 2, (8,), Purpose.START, dtype=torch.float64)[0, 4:]

    expected = []
    for radius_word, angle_word in [(w0, w1), (w2, w3)]:
        radius = math.sqrt(-2 * math.log((radius_word + 0.5) / 2**32))
        angle = 2 * math.pi * (angle_word + 0.5) / 2**32
        expected += [radius * math.cos(angle), radius * math.sin(angle)]
    assert values.tolist() == pytest.approx(expected, abs=1e-14)


def test_an_images_noise_is_the_same_in_every_batch_and_order() -> None:
    together = noise(99, range(25), 4, FACE, Purpose.STEP)

    alone = torch.cat([noise(99, [i], 4, FACE, Purpose.STEP) for i in range(25)])
    backwards = noise(99, range(24, -1, -1), 4, FACE, Purpose.STEP).flip(0)
    some = noise(99, [20, 3, 11], 4, FACE, Purpose.STEP)

    assert torch.equal(alone, together)
    assert torch.equal(backwards, together)
    assert torch.equal(some, together[[20, 3, 11]])


def test_each_image_may_stand_at_a_step_of_its_own() -> None:
    mixed = noise(1, [6, 7], [10, 20], FACE, Purpose.STEP)

    assert torch.equal(mixed[:1], noise(1, [6], 10, FACE, Purpose.STEP))
    assert torch.equal(mixed[1:], noise(1, [7], 20, FACE, Purpose.STEP))


def test_seed_image_step_and_purpose_each_make_other_noise() -> None:
    draws = [
        noise(1, [2], 3, FACE, Purpose.STEP),
        noise(2, [2], 3, FACE, Purpose.STEP),
        noise(1 + 2**32, [2], 3, FACE, Purpose.STEP),
        noise(1, [3], 3, FACE, Purpose.STEP),
        noise(1, [2], 4, FACE, Purpose.STEP),
        noise(1, [2], 3, FACE, Purpose.START),
    ]

    correlations = np.corrcoef(torch.cat(draws).flatten(1).numpy())

    assert np.abs(correlations - np.eye(len(draws))).max() < 5 / math.sqrt(48 * 48)


def test_noise_is_standard_normal() -> None:
    values = noise(5, range(100), 0, FACE, Purpose.START, dtype=torch.float64).flatten()

    count = len(values)
    assert abs(values.mean()) < 4 / math.sqrt(count)
    assert abs(values.var() - 1) < 4 * math.sqrt(2 / count)
    within = (values.abs() < 1).double().mean()
    assert abs(within - math.erf(1 / math.sqrt(2))) < 4 * 0.47 / math.sqrt(count)
    assert (values.abs() > 4).sum() > 0


def test_float32_noise_is_float64_noise_rounded_once() -> None:
    exact = noise(5, [0, 1], 0, FACE, Purpose.START, dtype=torch.float64)

    assert torch.equal(noise(5, [0, 1], 0, FACE, Purpose.START), exact.float())


def test_a_count_that_four_does_not_divide_is_cut_off() -> None:
    assert torch.equal(
        noise(3, [4], 0, (7,), Purpose.STEP), noise(3, [4], 0, (8,), Purpose.STEP)[:, :7]
    )


def test_uniforms_lie_within_0_and_1() -> None:
    values = uniforms(3, range(10), 0, 1001, Purpose.DATA_ORDER)

    assert values.shape == (10, 1001)
    assert 0 < values.min() < 0.001
    assert 0.999 < values.max() < 1


@pytest.mark.parametrize(
    ("seed", "image", "step"), [(-1, 0, 0), (2**64, 0, 0), (0, -1, 0), (0, 2**32, 0), (0, 0, 2**32)]
)
def test_numbers_outside_their_words_are_refused(seed: int, image: int, step: int) -> None:
    with pytest.raises(ValueError, match=r"must be within 0 and 2\*\*"):
        noise(seed, [image], step, FACE, Purpose.STEP)
