"""Sampling with networks whose right answer is known: no snapshots, only truth."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from diffusion import GaussianProcess, Plan, Purpose, SampleStep, linear_betas, noise, plan, sample

ABAR = GaussianProcess(linear_betas()).alphas_cumprod
MEAN, DEVIATION = 0.5, 0.2


def last(steps: Any) -> SampleStep:
    *_, final = steps
    return final


def gaussian_eps(z: Tensor, t: Tensor) -> Tensor:
    """The best guess of eps where every pixel is N(0.5, 0.2²)."""
    abar = ABAR[t].reshape(-1, 1, 1, 1)
    variance = abar * DEVIATION**2 + 1 - abar
    return ((1 - abar).sqrt() * (z - abar.sqrt() * MEAN) / variance).to(z.dtype)


def closed_moments(table: Plan) -> tuple[float, float]:
    """Mean and deviation of the samples, carried through the table without sampling."""
    mean, variance = 0.0, 1.0
    for row in range(len(table)):
        abar = ABAR[table.timesteps[row]].item()
        slope = math.sqrt(1 - abar) / (abar * DEVIATION**2 + 1 - abar)
        p, q, a, b, sigma = (getattr(table, n)[row].item() for n in ("p", "q", "a", "b", "sigma"))
        gain = a + b * (p - q * slope)
        mean = gain * mean + b * q * slope * math.sqrt(abar) * MEAN
        variance = gain**2 * variance + sigma**2
    return mean, math.sqrt(variance)


@pytest.mark.parametrize(
    ("sampler", "options"),
    [("ddpm", {}), ("ddpm", {"variance": "posterior"}), ("ddim", {}), ("ddim", {"eta": 0.5})],
)
def test_gaussian_data_come_back_with_their_moments_after_1000_steps(
    sampler: Any, options: dict[str, Any]
) -> None:
    table = plan(sampler, linear_betas(), 1000, **options)
    z = noise(3, range(30), 0, (1, 24, 24), Purpose.START, dtype=torch.float64)

    final = last(sample(gaussian_eps, table, 3, range(30), start=SampleStep(0, z)))

    mean, deviation = closed_moments(table)
    count = z.numel()
    assert final.z.mean().item() == pytest.approx(mean, abs=4 * DEVIATION / math.sqrt(count))
    assert final.z.std().item() == pytest.approx(
        deviation, abs=4 * DEVIATION / math.sqrt(2 * count)
    )
    # What is left is the schedule's own: it begins at abar_T = 0.0063, not at 0.
    assert mean == pytest.approx(MEAN, rel=0.03)
    assert deviation == pytest.approx(DEVIATION, rel=0.02)


@pytest.mark.parametrize("steps", [1, 2, 7, 50, 1000])
@pytest.mark.parametrize("sampler", ["ddpm", "ddim", "dpmpp_2m"])
def test_a_network_that_knows_one_picture_samples_that_picture(sampler: Any, steps: int) -> None:
    picture = torch.linspace(-1, 1, 64, dtype=torch.float64).reshape(1, 1, 8, 8)

    def point_eps(z: Tensor, t: Tensor) -> Tensor:
        abar = ABAR[t].reshape(-1, 1, 1, 1)
        return (z - abar.sqrt() * picture) / (1 - abar).sqrt()

    z = noise(3, range(2), 0, (1, 8, 8), Purpose.START, dtype=torch.float64)
    table = plan(sampler, linear_betas(), steps)

    for step in sample(point_eps, table, 3, range(2), start=SampleStep(0, z)):
        assert step.pred_x_0 is not None
        torch.testing.assert_close(step.pred_x_0, picture.expand(2, -1, -1, -1))
    torch.testing.assert_close(step.z, picture.expand(2, -1, -1, -1), rtol=0, atol=1e-12)
