"""Which timesteps are visited, for every number of them."""

from typing import Any

import pytest
import torch

from diffusion import GaussianProcess, linear_betas, plan

ABAR = GaussianProcess(linear_betas()).alphas_cumprod
LAMBDA = torch.log(ABAR.sqrt() / (1 - ABAR).sqrt())


def visited(steps: int, **options: Any) -> torch.Tensor:
    return plan("ddim", linear_betas(), steps, **options).timesteps


@pytest.mark.parametrize("steps", [1, 3, 50, 333, 1000])
def test_trailing_timesteps_are_even_from_the_last_down(steps: int) -> None:
    timesteps = visited(steps, timesteps="trailing")

    exact = 1000 - torch.arange(steps) * 1000 / steps - 1
    assert len(timesteps) == steps
    assert bool(((timesteps - exact).abs() <= 0.5 + 1e-9).all())


def test_a_later_start_spreads_its_steps_below_it() -> None:
    assert visited(4, start_t=399, timesteps="trailing").tolist() == [399, 299, 199, 99]


def test_20_timesteps_even_in_log_snr_are_those_of_the_exact_analysis() -> None:
    books = [1000, 923, 840, 750, 653, 548, 441, 338, 248, 175, 120, 81, 53, 34, 21, 13, 7, 4, 2, 1]

    assert (visited(20) + 1).tolist() == books


@pytest.mark.parametrize("start_t", [0, 1, 60, 399, 999])
@pytest.mark.parametrize("timesteps", ["logsnr", "trailing"])
def test_every_number_of_steps_gets_as_many_falling_timesteps(timesteps: Any, start_t: int) -> None:
    for steps in {*range(1, start_t + 2, 7), start_t, start_t + 1} - {0}:
        found = visited(steps, timesteps=timesteps, start_t=start_t)

        assert len(found) == steps
        assert found[0] == start_t
        assert found[-1] >= 0
        assert bool((found.diff() < 0).all())
        if timesteps == "logsnr" and steps > 1:
            assert found[-1] == 0


@pytest.mark.parametrize("timesteps", ["logsnr", "trailing"])
def test_as_many_steps_as_timesteps_visit_every_one(timesteps: Any) -> None:
    assert visited(1000, timesteps=timesteps).tolist() == list(range(999, -1, -1))


@pytest.mark.parametrize(("steps", "start_t"), [(12, 999), (50, 999), (250, 999), (20, 399)])
def test_only_where_timesteps_run_out_does_one_stand_off_its_even_place(
    steps: int, start_t: int
) -> None:
    found = visited(steps, start_t=start_t)
    aims = torch.linspace(LAMBDA[start_t].item(), LAMBDA[0].item(), steps, dtype=torch.float64)

    distance = (LAMBDA[found] - aims).abs()
    is_nearest = distance <= (LAMBDA[:, None] - aims).abs().min(dim=0).values + 1e-12
    # One that had to make room stands just above the timestep of the next step.
    is_crowded = torch.cat([found.diff() == -1, torch.tensor([True])])
    assert bool((is_nearest | is_crowded).all())
    assert bool(is_nearest[: steps // 2].all())


def test_unusual_schedules_get_falling_timesteps_too() -> None:
    for betas in (torch.full((40,), 0.5), torch.linspace(1e-4, 0.999, 40), torch.tensor([0.3])):
        for steps in range(1, len(betas) + 1):
            found = plan("dpmpp_2m", betas, steps).timesteps

            assert found[0] == len(betas) - 1
            assert len(found.unique()) == steps
            assert bool((found.diff() < 0).all())
