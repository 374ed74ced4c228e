"""The course's noise schedule and its forward process."""

import math

import pytest
import torch

from diffusion import GaussianProcess, Purpose, linear_betas, noise


def test_the_courses_betas_run_from_1e_4_to_0_01() -> None:
    betas = linear_betas()

    assert betas.shape == (1000,)
    assert betas.dtype == torch.float32
    assert torch.equal(betas, torch.linspace(1e-4, 0.01, 1000))


def test_alphas_cumprod_fall_from_almost_1_to_the_known_end() -> None:
    abar = GaussianProcess(linear_betas()).alphas_cumprod

    assert abar.dtype == torch.float64
    assert abar[0] == pytest.approx(0.9999, abs=1e-8)
    assert bool((abar[1:] < abar[:-1]).all())
    assert abar[499].item() == pytest.approx(0.27570, abs=1e-5)
    assert abar[-1].item() == pytest.approx(0.0063017, abs=1e-7)


def test_q_sample_mixes_picture_and_noise_for_each_row_at_its_own_timestep() -> None:
    process = GaussianProcess(linear_betas())
    x_0 = torch.full((3, 1, 8, 8), 0.5, dtype=torch.float64)
    eps = noise(0, range(3), 0, (1, 8, 8), Purpose.START, dtype=torch.float64)

    z = process.q_sample(x_0, torch.tensor([0, 499, 999]), eps)

    for row, t in enumerate([0, 499, 999]):
        abar = process.alphas_cumprod[t].item()
        expected = math.sqrt(abar) * 0.5 + math.sqrt(1 - abar) * eps[row]
        torch.testing.assert_close(z[row], expected, rtol=0, atol=1e-15)


def test_q_sample_has_the_moments_of_many_single_noising_steps() -> None:
    betas = linear_betas(num_timesteps=60, beta_start=0.001, beta_end=0.05)
    z = torch.full((40, 1, 48, 48), 0.8, dtype=torch.float64)
    for t, beta in enumerate(betas.double().tolist()):
        fresh = noise(1, range(40), t, z.shape[1:], Purpose.STEP, dtype=torch.float64)
        z = math.sqrt(1 - beta) * z + math.sqrt(beta) * fresh

    abar = GaussianProcess(betas).alphas_cumprod[-1].item()

    count = z.numel()
    assert z.mean().item() == pytest.approx(math.sqrt(abar) * 0.8, abs=4 / math.sqrt(count))
    assert z.var().item() == pytest.approx(1 - abar, abs=4 * math.sqrt(2 / count))


def test_q_sample_keeps_the_pictures_dtype() -> None:
    x_0 = torch.zeros(2, 1, 8, 8)

    assert (
        GaussianProcess(linear_betas()).q_sample(x_0, torch.tensor([0, 1]), x_0).dtype == x_0.dtype
    )


@pytest.mark.parametrize(
    ("count", "start", "end"), [(0, 1e-4, 0.01), (10, 0.0, 0.01), (10, 1e-4, 1.0)]
)
def test_a_schedule_outside_its_range_is_refused(count: int, start: float, end: float) -> None:
    with pytest.raises(ValueError, match="must be"):
        linear_betas(count, start, end)


@pytest.mark.parametrize("betas", [[[0.1]], [], [0.1, 1.0], [0.0], [float("nan")]])
def test_a_process_refuses_betas_that_are_none(betas: list[float]) -> None:
    with pytest.raises(ValueError, match="beta"):
        GaussianProcess(torch.tensor(betas))
