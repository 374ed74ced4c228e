"""Plans: the samplers' tables."""

from typing import Any

import pytest
import torch

from diffusion import GaussianProcess, Plan, linear_betas, plan

ABAR = GaussianProcess(linear_betas()).alphas_cumprod
ZERO = torch.zeros((), dtype=torch.float64)


def assert_same(found: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("steps", [1, 3, 50, 333, 1000])
def test_timesteps_trail_from_the_last_down(steps: int) -> None:
    timesteps = plan("ddpm", linear_betas(), steps).timesteps

    assert len(timesteps) == steps
    assert timesteps[0] == 999
    assert bool((timesteps[1:] < timesteps[:-1]).all())
    spacing = 1000 / steps
    exact = 1000 - torch.arange(steps) * spacing - 1
    assert bool(((timesteps - exact).abs() <= 0.5 + 1e-9).all())


def test_a_thousand_steps_visit_every_timestep() -> None:
    assert plan("ddim", linear_betas(), 1000).timesteps.tolist() == list(range(999, -1, -1))


def test_a_later_start_spreads_its_steps_below_it() -> None:
    assert plan("ddim", linear_betas(), 4, start_t=399).timesteps.tolist() == [399, 299, 199, 99]


def test_x_0_of_a_noised_picture_is_the_picture() -> None:
    table = plan("ddim", linear_betas(), 20)
    abar = ABAR[table.timesteps]
    x_0, eps = 0.3, -1.7

    z = abar.sqrt() * x_0 + (1 - abar).sqrt() * eps

    assert_same(table.p * z - table.q * eps, torch.full_like(z, x_0))


def test_ddpm_moves_as_algorithm_18_2_of_the_book() -> None:
    betas = linear_betas().double().flip(0)
    table = plan("ddpm", linear_betas(), 1000)
    abar = ABAR.flip(0)
    z, eps = 0.7, 1.3

    found = table.a * z + table.b * (table.p * z - table.q * eps)

    assert_same(found, (z - betas / (1 - abar).sqrt() * eps) / (1 - betas).sqrt())
    assert_same(table.sigma[:-1], betas[:-1].sqrt())
    assert table.sigma[-1] == 0


def test_posterior_variance_is_that_of_z_before_given_z_and_x_0() -> None:
    table = plan("ddpm", linear_betas(), 1000, variance="posterior")

    # Bayes: precision of q(z_p | z_t, x_0) = alpha / beta + 1 / (1 − abar_p).
    beta = linear_betas().double()[1:]
    precision = (1 - beta) / beta + 1 / (1 - ABAR[:-1])
    torch.testing.assert_close(table.sigma[:-1].flip(0) ** 2, 1 / precision, rtol=1e-9, atol=0)


def test_skipping_ddpm_bridges_the_timesteps_between() -> None:
    table = plan("ddpm", linear_betas(), 100)

    alpha = torch.stack(
        [(1 - linear_betas().double()[t - 9 : t + 1]).prod() for t in table.timesteps]
    )

    assert_same(table.sigma[:-1] ** 2, 1 - alpha[:-1])


@pytest.mark.parametrize("steps", [10, 1000])
def test_ddim_with_eta_1_is_ddpm_with_the_posterior_variance(steps: int) -> None:
    implicit = plan("ddim", linear_betas(), steps, eta=1.0)
    ancestral = plan("ddpm", linear_betas(), steps, variance="posterior")

    for name in ("a", "b", "sigma"):
        assert_same(getattr(implicit, name), getattr(ancestral, name))


def test_ddim_keeps_the_noise_level_of_the_schedule() -> None:
    table = plan("ddim", linear_betas(), 50, eta=0.6)
    abar, abar_p = ABAR[table.timesteps], torch.cat([ABAR[table.timesteps[1:]], ZERO[None] + 1])

    signal = table.a * abar.sqrt() + table.b
    variance = table.a**2 * (1 - abar) + table.sigma**2

    assert_same(signal, abar_p.sqrt())
    assert_same(variance, 1 - abar_p)


@pytest.mark.parametrize("options", [{}, {"variance": "posterior"}, {"eta": 1.0}])
@pytest.mark.parametrize("sampler", ["ddpm", "ddim"])
def test_the_last_step_gives_the_predicted_picture_without_noise(
    sampler: Any, options: dict[str, Any]
) -> None:
    table = plan(sampler, linear_betas(), 25, **options)

    last = [getattr(table, name)[-1].item() for name in ("a", "b", "c", "sigma")]

    assert last == pytest.approx([0, 1, 0, 0], abs=1e-12)


def test_tables_are_float64_whatever_the_betas_are() -> None:
    table: Plan = plan("ddim", linear_betas(), 5, eta=0.5)

    assert {getattr(table, name).dtype for name in "pqabc"} == {torch.float64}
    assert table.sigma.dtype == torch.float64
    assert table.timesteps.dtype == torch.int64


@pytest.mark.parametrize(
    ("sampler", "steps", "options", "message"),
    [
        ("euler", 10, {}, "sampler must be one of ddpm, ddim, not 'euler'"),
        ("ddpm", 0, {}, "num_inference_steps must be within 1 and 1000, not 0"),
        ("ddpm", 1001, {}, "num_inference_steps must be within 1 and 1000, not 1001"),
        ("ddpm", 401, {"start_t": 399}, "num_inference_steps must be within 1 and 400, not 401"),
        ("ddpm", 1, {"start_t": 1000}, "start_t must be within 0 and 999, not 1000"),
        ("ddpm", 10, {"variance": "large"}, "variance must be 'beta' or 'posterior', not 'large'"),
        ("ddim", 10, {"eta": 1.5}, "eta must be within 0 and 1, not 1.5"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(
    sampler: Any, steps: int, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        plan(sampler, linear_betas(), steps, **options)
