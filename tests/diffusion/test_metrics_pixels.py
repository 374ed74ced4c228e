"""Brightness, contrast and spectra against hand cases and known pictures."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from diffusion.metrics import (
    brightness_ks,
    contrast_ks,
    radial_power_spectrum,
    spectrum_deviation,
    spectrum_ratio,
)
from diffusion.metrics.pixels import kolmogorov_smirnov, power_spectra

Faces = NDArray[np.uint8]


def grainy(n: int, deviation: float = 30, seed: int = 0) -> Faces:
    noise = np.random.default_rng(seed).normal(size=(n, 48, 48))
    return np.clip(np.rint(128 + deviation * noise), 0, 255).astype(np.uint8)


def wave(periods_x: int, periods_y: int, amplitude: float = 100) -> Faces:
    phase = 2 * np.pi * np.arange(48) / 48
    picture = 128 + amplitude * np.cos(periods_x * phase + periods_y * phase[:, None])
    return np.rint(picture).astype(np.uint8)[None]


def test_the_statistic_of_a_case_by_hand() -> None:
    # Distribution functions: at 2 they are 2/3 and 0, the largest difference.
    found = kolmogorov_smirnov(np.array([1.0, 2, 4]), np.array([3.0, 4, 5, 6]))

    assert found.statistic == pytest.approx(2 / 3)


def test_equal_numbers_count_on_both_sides() -> None:
    assert kolmogorov_smirnov(np.ones(5), np.ones(7)) == (0, 1)


def test_the_p_value_is_that_of_the_tables() -> None:
    # Kolmogorov's distribution: 5 % lie above 1.3581, 1 % above 1.6276.
    n = 20_000
    for value, chance in ((1.3581, 0.05), (1.6276, 0.01)):
        above = round(value / math.sqrt(n / 2) * n)
        a = np.arange(n, dtype=np.float64)

        found = kolmogorov_smirnov(a, a + above)

        assert found.p_value == pytest.approx(chance, rel=0.05)


def test_the_p_value_is_uniform_for_samples_of_one_law() -> None:
    generator = np.random.default_rng(0)

    found = [
        kolmogorov_smirnov(generator.normal(size=80), generator.normal(size=80)).p_value
        for _ in range(300)
    ]

    assert 0.02 < np.mean(np.array(found) < 0.1) < 0.17


def test_brightness_and_contrast_each_see_their_own_change() -> None:
    faces = grainy(200)
    brighter, flatter = faces // 2 + 80, (faces.astype(int) // 2 + 64).astype(np.uint8)

    assert brightness_ks(brighter, faces).statistic == 1
    assert contrast_ks(flatter, faces).statistic == 1
    assert brightness_ks(grainy(200, seed=1), faces).p_value > 0.01
    assert contrast_ks(grainy(200, seed=1), faces).p_value > 0.01


@pytest.mark.parametrize(("x", "y", "ring"), [(5, 0, 5), (0, 12, 12), (6, 8, 10), (24, 0, 24)])
def test_a_wave_has_its_power_in_its_own_ring(x: int, y: int, ring: int) -> None:
    spectrum = radial_power_spectrum(wave(x, y))

    assert spectrum.shape == (24,)
    assert spectrum.argmax() == ring - 1
    away = np.abs(np.arange(1, 25) - ring) > 2
    assert spectrum[away].max() < 1e-3 * spectrum.max()


def test_white_noise_has_its_variance_in_every_ring() -> None:
    spectrum = radial_power_spectrum(grainy(1500, deviation=20))

    assert spectrum[1:] == pytest.approx(np.full(23, 400), rel=0.05)
    assert 300 < spectrum[0] < 400  # the window mixes it with the mean, which is taken away


def test_brightness_has_no_part_in_the_spectrum() -> None:
    faces = grainy(20, deviation=10)

    assert radial_power_spectrum(faces + 40) == pytest.approx(radial_power_spectrum(faces))


def test_half_the_contrast_is_a_quarter_of_the_power_and_6_decibels() -> None:
    loud, quiet = grainy(800, 40), grainy(800, 20, seed=1)

    assert spectrum_ratio(quiet, loud) == pytest.approx(np.full(24, 0.25), rel=0.15)
    deviation = spectrum_deviation(power_spectra(quiet), power_spectra(loud))
    assert deviation == pytest.approx(20 * math.log10(2), abs=0.1)


def test_a_thousand_faces_and_one_are_read_like_each_alone() -> None:
    faces = grainy(1001)

    spectra = power_spectra(faces)

    assert spectra[[0, 1000]] == pytest.approx(power_spectra(faces[[0, 1000]]), rel=1e-9)


def test_wrong_faces_are_refused() -> None:
    with pytest.raises(ValueError, match=r"uint8 \(N, 48, 48\).*not float64"):
        brightness_ks(np.zeros((3, 48, 48)), grainy(3))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"\(3, 24, 24\)"):
        radial_power_spectrum(np.zeros((3, 24, 24), np.uint8))
    with pytest.raises(ValueError, match="without any structure"):
        spectrum_ratio(grainy(3), np.full((3, 48, 48), 7, np.uint8))
    with pytest.raises(ValueError, match="not empty"):
        kolmogorov_smirnov(np.ones(0), np.ones(3))
