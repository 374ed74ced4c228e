"""How much of each mode of Gaussian data the samplers give back, beside independent figures.

Modes: s = 12 is the brightness of 48×48 faces (48 times 0.25), s = 0.03 is invisible detail.
"""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.documents import read_block
from benchmarks.exact_accuracy import (
    ABAR,
    MODES,
    accuracy_table,
    ideal_eps,
    sampled_deviations,
    terminal_deviations,
)
from diffusion import Plan, SampleStep, linear_betas, plan, sample

POSTERIOR = {"variance": "posterior"}
TRAILING = {"timesteps": "trailing"}
SAMPLERS_TEXT = Path(__file__).parents[2] / "docs" / "samplers.md"

# Found by other means before this program was written; entries are ratios to the true deviation.
FIGURES: list[tuple[str, int, dict[str, Any], list[float]]] = [
    ("ddpm", 1000, {}, [0.998, 0.999, 1.000, 1.002, 1.004, 0.988]),
    ("ddpm", 1000, POSTERIOR, [0.998, 0.998, 0.997, 0.991, 0.970, 0.886]),
    ("ddpm", 250, TRAILING, [0.994, 0.995, 1.000, 1.008, 1.015, 0.941]),
    ("ddim", 1000, {}, [0.999, 0.999, 0.999, 0.996, 0.986, 0.924]),
    ("ddim", 100, TRAILING, [0.994, 0.990, 0.987, 0.966, 0.888, 0.598]),
    ("ddim", 50, TRAILING, [0.988, 0.981, 0.974, 0.934, 0.795, 0.424]),
    ("ddim", 20, TRAILING, [0.971, 0.952, 0.937, 0.844, 0.578, 0.221]),
    ("ddim", 50, {}, [0.981, 0.966, 0.964, 0.964, 0.959, 0.912]),
    ("dpmpp_2m", 50, TRAILING, [1.000, 1.000, 1.001, 0.991, 0.848, 0.431]),
    ("dpmpp_2m", 20, TRAILING, [0.997, 1.001, 1.003, 0.922, 0.598, 0.222]),
    ("dpmpp_2m", 50, {}, [1.000, 1.001, 1.001, 1.001, 0.997, 0.952]),
    ("dpmpp_2m", 20, {}, [0.997, 1.006, 1.008, 1.008, 1.002, 0.949]),
    ("dpmpp_2m", 15, {}, [0.993, 1.010, 1.014, 1.014, 1.005, 0.946]),
    ("dpmpp_2m", 10, {}, [0.978, 1.018, 1.028, 1.027, 1.011, 0.926]),
]


def ratios(table: Plan) -> list[float]:
    start = terminal_deviations(MODES)
    return (sampled_deviations(table, MODES, start) / MODES).tolist()


@pytest.mark.parametrize(("sampler", "steps", "options", "expected"), FIGURES)
def test_modes_come_back_as_the_exact_analysis_says(
    sampler: Any, steps: int, options: dict[str, Any], expected: list[float]
) -> None:
    assert ratios(plan(sampler, linear_betas(), steps, **options)) == pytest.approx(
        expected, rel=0.01
    )


@pytest.mark.parametrize("sampler", ["ddim", "dpmpp_2m"])
def test_the_loop_does_to_every_mode_what_the_analysis_says(sampler: Any) -> None:
    table = plan(sampler, linear_betas(), 20)
    start = terminal_deviations(MODES)
    z = start.reshape(1, 1, 1, -1)

    *_, final = sample(lambda z, t: ideal_eps(z, t, MODES), table, 0, [0], start=SampleStep(0, z))

    expected = sampled_deviations(table, MODES, start)
    torch.testing.assert_close(final.z.flatten(), expected, rtol=1e-9, atol=0)


@pytest.mark.parametrize("steps", [50, 100, 250, 500])
@pytest.mark.parametrize("options", [{}, POSTERIOR])
def test_ancestral_sampling_of_few_steps_loses_less_over_even_log_snr(
    steps: int, options: dict[str, Any]
) -> None:
    def largest_error(**timesteps: Any) -> float:
        found = ratios(plan("ddpm", linear_betas(), steps, **options, **timesteps))
        return max(abs(ratio - 1) for ratio in found)

    assert largest_error() < 0.7 * largest_error(**TRAILING)


@pytest.mark.parametrize(
    ("sampler", "steps", "deviation", "standard"),
    [
        ("dpmpp_2m", 20, 0.25, 0.725),
        ("dpmpp_2m", 20, 0.226, 0.757),
        ("ddim", 1000, 0.25, 0.725),
        ("ddpm", 1000, 0.25, 0.878),
        ("ddpm", 1000, 0.226, 0.903),
    ],
)
def test_the_data_prior_restores_the_spread_of_brightness(
    sampler: Any, steps: int, deviation: float, standard: float
) -> None:
    table = plan(sampler, linear_betas(), steps)
    brightness = torch.tensor([48 * deviation], dtype=torch.float64)

    from_noise = sampled_deviations(table, brightness, torch.ones_like(brightness)) / brightness
    from_data = sampled_deviations(table, brightness, terminal_deviations(brightness)) / brightness

    assert from_noise.item() == pytest.approx(standard, abs=0.005)
    assert from_data.item() == pytest.approx(1, abs=0.004)


@pytest.mark.parametrize(
    ("sampler", "steps", "deviation", "expected"),
    [
        ("dpmpp_2m", 50, 0.25, 0.31),
        ("dpmpp_2m", 50, 0.226, 0.35),
        ("ddpm", 1000, 0.25, 0.52),
        ("ddpm", 1000, 0.226, 0.57),
    ],
)
def test_starting_from_noise_draws_the_mean_to_mid_gray(
    sampler: Any, steps: int, deviation: float, expected: float
) -> None:
    brightness = torch.tensor([48 * deviation], dtype=torch.float64)
    table = plan(sampler, linear_betas(), steps)
    without_noise = replace(table, sigma=0 * table.sigma)

    gain = sampled_deviations(without_noise, brightness, torch.ones_like(brightness))

    # Linear: z_T that lacks sqrt(abar_T)·mean ends short of the mean by its gain.
    kept = 1 - gain * ABAR[-1].sqrt()
    assert kept.item() == pytest.approx(expected, abs=0.006)


def test_the_document_says_what_the_samplers_do() -> None:
    def numbers(text: str) -> list[float]:
        return [float(number) for number in re.findall(r"\d+\.\d+", text)]

    written, computed = read_block(SAMPLERS_TEXT, "exact"), accuracy_table()

    assert re.sub(r"\d\.\d+", "", written).split() == re.sub(r"\d\.\d+", "", computed).split()
    assert numbers(written) == pytest.approx(numbers(computed), abs=0.0011)
