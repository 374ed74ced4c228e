"""Seam energy and correlation, on pictures whose answer is known."""

import numpy as np
import pytest

from diffusion.merge import left_right, top_bottom
from diffusion.metrics.seams import correlations, has_seam, mean_of, seam_energies

HALVES = left_right().numpy()
RANDOM = np.random.default_rng(0)


def ramps(count: int = 3) -> np.ndarray:
    """Pictures that grow by 2 from pixel to pixel, both ways."""
    row = 2 * np.arange(48)
    return np.broadcast_to((row + row[:, None]).astype(np.uint8), (count, 48, 48)).copy()


def disc(radius: float) -> np.ndarray:
    y, x = np.mgrid[:48, :48] - 23.5
    return (np.hypot(x, y) < radius).astype(float)


@pytest.mark.parametrize("mask", [HALVES, HALVES.T, disc(14), 0.3 + 0.5 * HALVES])
def test_pictures_without_a_seam_have_one(mask: np.ndarray) -> None:
    noise = RANDOM.integers(0, 256, (400, 48, 48), np.uint8)

    energies = seam_energies(noise, mask)

    value, error = mean_of(energies)
    assert value == pytest.approx(1, abs=4 * error + 0.02)
    assert seam_energies(ramps(), mask) == pytest.approx(1)
    assert seam_energies(np.full((2, 48, 48), 7, np.uint8), mask) == pytest.approx(1)


@pytest.mark.parametrize("mask", [HALVES, top_bottom().numpy(), disc(12)])
def test_a_step_along_the_edge_raises_it_by_its_square(mask: np.ndarray) -> None:
    flat_ramp = np.full((1, 48, 48), 100, np.uint8)
    stepped = flat_ramp + (10 * mask).astype(np.uint8)

    (energy,) = seam_energies(stepped, mask)

    assert energy == pytest.approx((100 + 1 / 6) / (1 / 6))


def test_an_edge_elsewhere_is_not_its_seam() -> None:
    stepped = ramps()
    stepped[:, :, 40:] += 60

    assert seam_energies(stepped, HALVES) == pytest.approx(1)
    assert (seam_energies(stepped[:, :, ::-1] + HALVES.astype(np.uint8) * 30, HALVES) > 50).all()


def test_a_soft_masks_edge_is_where_it_crosses_a_half() -> None:
    soft = np.broadcast_to(np.linspace(0, 1, 48), (48, 48))
    pictures = RANDOM.integers(0, 256, (3, 48, 48), np.uint8)

    assert np.array_equal(seam_energies(pictures, soft), seam_energies(pictures, HALVES))


@pytest.mark.parametrize("mask", [np.ones((48, 48)), np.zeros((48, 48)), np.full((48, 48), 0.4)])
def test_a_mask_without_an_edge_is_refused(mask: np.ndarray) -> None:
    assert not has_seam(mask)
    assert has_seam(HALVES)
    with pytest.raises(ValueError, match="no edge"):
        seam_energies(ramps(), mask)


def test_correlations_are_pearsons_over_the_region() -> None:
    images, sources = RANDOM.integers(0, 256, (2, 5, 48, 48), np.uint8)
    images[0] = sources[0]
    images[1, :, :24] = 255 - sources[1, :, :24]
    region = HALVES > 0

    found = correlations(images, sources, region)

    assert found[:2] == pytest.approx([1, -1])
    expected = [np.corrcoef(images[i][region], sources[i][region])[0, 1] for i in range(5)]
    assert found == pytest.approx(expected)


def test_a_flat_half_correlates_with_nothing() -> None:
    pictures = RANDOM.integers(0, 256, (1, 48, 48), np.uint8)

    assert correlations(np.zeros_like(pictures), pictures, HALVES > 0).tolist() == [0]


def test_what_cannot_be_correlated_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 pixels, not 0"):
        correlations(ramps(), ramps(), HALVES > 1)
    with pytest.raises(ValueError, match="must have one shape"):
        correlations(ramps(), ramps(2), HALVES > 0)


def test_the_error_of_a_mean_is_its_deviation_by_the_root_of_their_number() -> None:
    value, error = mean_of(np.array([1.0, 2.0, 3.0, 6.0]))

    assert (value, error) == (3, pytest.approx(np.sqrt(14 / 3) / 2))
    assert mean_of(np.array([2.0])).standard_error == 0
