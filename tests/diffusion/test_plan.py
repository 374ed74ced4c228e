"""Plans: the samplers' tables."""

from typing import Any

import pytest
import torch

from diffusion import GaussianProcess, Plan, linear_betas, plan

ABAR = GaussianProcess(linear_betas()).alphas_cumprod
ZERO = torch.zeros((), dtype=torch.float64)


def assert_same(found: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)


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


@pytest.mark.parametrize("timesteps", ["logsnr", "trailing"])
@pytest.mark.parametrize("steps", [2, 30, 250, 1000])
def test_posterior_variance_is_that_of_z_before_given_z_and_x_0(steps: int, timesteps: Any) -> None:
    options: dict[str, Any] = {"timesteps": timesteps, "variance": "posterior"}
    table = plan("ddpm", linear_betas(), steps, **options)

    # Bayes: precision of q(z_p | z_t, x_0) = alpha / beta + 1 / (1 − abar_p).
    abar_t, abar_p = ABAR[table.timesteps[:-1]], ABAR[table.timesteps[1:]]
    alpha = abar_t / abar_p
    precision = alpha / (1 - alpha) + 1 / (1 - abar_p)
    torch.testing.assert_close(table.sigma[:-1] ** 2, 1 / precision, rtol=1e-9, atol=0)


def test_skipping_ddpm_bridges_the_timesteps_between() -> None:
    table = plan("ddpm", linear_betas(), 100, timesteps="trailing")

    alpha = torch.stack(
        [(1 - linear_betas().double()[t - 9 : t + 1]).prod() for t in table.timesteps]
    )

    assert_same(table.sigma[:-1] ** 2, 1 - alpha[:-1])


@pytest.mark.parametrize("timesteps", ["logsnr", "trailing"])
@pytest.mark.parametrize("steps", [10, 1000])
def test_ddim_with_eta_1_is_ddpm_with_the_posterior_variance(steps: int, timesteps: Any) -> None:
    implicit = plan("ddim", linear_betas(), steps, timesteps=timesteps, eta=1.0)
    ancestral = plan("ddpm", linear_betas(), steps, timesteps=timesteps, variance="posterior")

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
@pytest.mark.parametrize("sampler", ["ddpm", "ddim", "dpmpp_2m"])
def test_the_last_step_gives_the_predicted_picture_without_noise(
    sampler: Any, options: dict[str, Any]
) -> None:
    table = plan(sampler, linear_betas(), 25, **options)

    last = [getattr(table, name)[-1].item() for name in ("a", "b", "c", "sigma")]

    assert last == pytest.approx([0, 1, 0, 0], abs=1e-12)


@pytest.mark.parametrize("timesteps", ["logsnr", "trailing"])
def test_dpm_solver_is_the_published_formula(timesteps: Any) -> None:
    table = plan("dpmpp_2m", linear_betas(), 12, timesteps=timesteps)
    abar = ABAR[table.timesteps]
    alpha, sigma = abar.sqrt(), (1 - abar).sqrt()
    lambdas = (alpha / sigma).log()
    z, x_0, x_0_before = 0.4, -0.7, 0.2

    for row in range(1, 11):  # the paper's algorithm 2, line by line
        h, h_before = lambdas[row + 1] - lambdas[row], lambdas[row] - lambdas[row - 1]
        r = h_before / h
        d = (1 + 1 / (2 * r)) * x_0 - 1 / (2 * r) * x_0_before
        expected = sigma[row + 1] / sigma[row] * z - alpha[row + 1] * ((-h).exp() - 1) * d

        found = table.a[row] * z + table.b[row] * x_0 + table.c[row] * x_0_before
        assert_same(found, expected)


def test_dpm_solver_begins_and_ends_as_ddim() -> None:
    multistep, implicit = (plan(name, linear_betas(), 9) for name in ("dpmpp_2m", "ddim"))  # type: ignore[arg-type]  # a str

    for name in "abc":
        found, expected = getattr(multistep, name), getattr(implicit, name)
        assert_same(found[[0, -1]], expected[[0, -1]])
    assert bool((multistep.c[1:-1] < 0).all())
    assert not multistep.sigma.any()


def test_one_step_of_any_sampler_is_the_first_prediction() -> None:
    for sampler in ("ddpm", "ddim", "dpmpp_2m"):
        table = plan(sampler, linear_betas(), 1)  # type: ignore[arg-type]  # a str

        assert table.timesteps.tolist() == [999]
        assert [table.a.item(), table.b.item(), table.c.item()] == pytest.approx([0, 1, 0])


def test_tables_are_float64_whatever_the_betas_are() -> None:
    table: Plan = plan("ddim", linear_betas(), 5, eta=0.5)

    assert {getattr(table, name).dtype for name in "pqabc"} == {torch.float64}
    assert table.sigma.dtype == torch.float64
    assert table.timesteps.dtype == torch.int64


@pytest.mark.parametrize(
    ("sampler", "steps", "options", "message"),
    [
        ("euler", 10, {}, "sampler must be one of ddpm, ddim, dpmpp_2m, not 'euler'"),
        ("ddpm", 0, {}, "num_inference_steps must be within 1 and 1000, not 0"),
        ("ddpm", 1001, {}, "num_inference_steps must be within 1 and 1000, not 1001"),
        ("ddpm", 401, {"start_t": 399}, "num_inference_steps must be within 1 and 400, not 401"),
        ("ddpm", 1, {"start_t": 1000}, "start_t must be within 0 and 999, not 1000"),
        ("ddim", 9, {"timesteps": "even"}, "timesteps must be 'logsnr' or 'trailing', not 'even'"),
        ("ddpm", 10, {"variance": "large"}, "variance must be 'beta' or 'posterior', not 'large'"),
        ("ddim", 10, {"eta": 1.5}, "eta must be within 0 and 1, not 1.5"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(
    sampler: Any, steps: int, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        plan(sampler, linear_betas(), steps, **options)
