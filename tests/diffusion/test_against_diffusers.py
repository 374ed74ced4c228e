"""The course's arithmetic, step by step against an implementation that is not ours."""

from collections.abc import Callable
from typing import Any

import diffusers.schedulers.scheduling_ddpm
import diffusers.schedulers.scheduling_dpmsolver_multistep
import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler
from torch import Tensor

from diffusion import (
    GaussianProcess,
    Purpose,
    SampleStep,
    UNet,
    linear_betas,
    noise,
    plan,
    sample,
)

# Its set_timesteps hands tensors to np.array, which NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SEED, IMAGES, SHAPE = 11, [4, 9], (1, 16, 16)
TOLERANCE = 1e-9


class ExactTorch:
    """torch, but with another idea of float32."""

    float32 = torch.float64

    def __getattr__(self, name: str) -> Any:
        return getattr(torch, name)


def use_exact_tables(
    scheduler: DDPMScheduler | DDIMScheduler | DPMSolverMultistepScheduler,
) -> None:
    process = GaussianProcess(linear_betas())
    scheduler.betas = process.betas
    scheduler.alphas = 1 - process.betas
    scheduler.alphas_cumprod = process.alphas_cumprod


def noise_of_step(step: int) -> Tensor:
    return noise(SEED, IMAGES, step, SHAPE, Purpose.STEP, dtype=torch.float64)


def start() -> Tensor:
    return noise(SEED, IMAGES, 0, SHAPE, Purpose.START, dtype=torch.float64)


def predict(model: UNet, z: Tensor, t: int | Tensor) -> Tensor:
    with torch.no_grad():
        eps: Tensor = model(z, torch.as_tensor(t).expand(len(z)))
    return eps


@pytest.mark.parametrize(
    ("variance", "theirs", "steps", "timesteps"),
    [
        ("beta", "fixed_large", 1000, "logsnr"),
        ("posterior", "fixed_small", 1000, "logsnr"),
        ("beta", "fixed_large", 50, "trailing"),
        ("posterior", "fixed_small", 50, "trailing"),
        ("beta", "fixed_large", 60, "logsnr"),
        ("posterior", "fixed_small", 60, "logsnr"),
    ],
)
def test_ddpm_walks_as_diffusers_does(
    unet: Callable[[int], UNet],
    monkeypatch: pytest.MonkeyPatch,
    variance: Any,
    theirs: str,
    steps: int,
    timesteps: Any,
) -> None:
    model = unet(4).double()
    scheduler = DDPMScheduler(
        1000, variance_type=theirs, clip_sample=False, timestep_spacing="trailing"
    )
    use_exact_tables(scheduler)
    table = plan("ddpm", linear_betas(), steps, timesteps=timesteps, variance=variance)
    if timesteps == "trailing":
        scheduler.set_timesteps(steps)  # they must agree on these too
    else:
        scheduler.set_timesteps(timesteps=table.timesteps.tolist())
    # Its step draws the noise itself, so ours is put where it draws.
    # It would add noise in the last of fewer than 1000 steps too; we give it none there.
    draws = (noise_of_step(step) * (step < steps - 1) for step in range(steps))
    monkeypatch.setattr(
        diffusers.schedulers.scheduling_ddpm, "randn_tensor", lambda *_, **__: next(draws)
    )
    expected = z = start()

    begin = SampleStep(0, z)
    for t, found in zip(
        scheduler.timesteps, sample(model, table, SEED, IMAGES, start=begin), strict=True
    ):
        eps = predict(model, expected, t)
        expected = scheduler.step(eps, int(t), expected).prev_sample

        assert found.z.dtype == torch.float64
        torch.testing.assert_close(found.z, expected, rtol=0, atol=TOLERANCE)
    assert (expected - z).abs().max() > 0.1


@pytest.mark.parametrize(("steps", "eta"), [(50, 0.0), (50, 0.7), (125, 1.0), (1000, 0.0)])
def test_ddim_walks_as_diffusers_does(unet: Callable[[int], UNet], steps: int, eta: float) -> None:
    model = unet(4).double()
    scheduler = DDIMScheduler(1000, clip_sample=False, timestep_spacing="trailing")
    use_exact_tables(scheduler)
    scheduler.set_timesteps(steps)
    expected = z = start()

    table = plan("ddim", linear_betas(), steps, timesteps="trailing", eta=eta)
    begin = SampleStep(0, z)
    for step, (t, found) in enumerate(
        zip(scheduler.timesteps, sample(model, table, SEED, IMAGES, start=begin), strict=True)
    ):
        eps = predict(model, expected, t)
        fresh = noise_of_step(step) if eta else None
        expected = scheduler.step(eps, int(t), expected, eta=eta, variance_noise=fresh).prev_sample

        torch.testing.assert_close(found.z, expected, rtol=0, atol=TOLERANCE)
    assert (expected - z).abs().max() > 0.1


def test_clipping_is_that_of_diffusers(unet: Callable[[int], UNet]) -> None:
    model = unet(4).double()
    scheduler = DDIMScheduler(1000, clip_sample=True, timestep_spacing="trailing")
    use_exact_tables(scheduler)
    scheduler.set_timesteps(20)
    expected = z = start()

    table = plan("ddim", linear_betas(), 20, timesteps="trailing", clip_x_0=True)
    steps = sample(model, table, SEED, IMAGES, start=SampleStep(0, z))
    for t, found in zip(scheduler.timesteps, steps, strict=True):
        expected = scheduler.step(
            predict(model, expected, t), int(t), expected, use_clipped_model_output=True
        ).prev_sample

        torch.testing.assert_close(found.z, expected, rtol=0, atol=TOLERANCE)
    assert expected.abs().max() == 1


LOGSNR_20 = [1000, 923, 840, 750, 653, 548, 441, 338, 248, 175, 120, 81, 53, 34, 21, 13, 7, 4, 2, 1]


@pytest.mark.parametrize("steps", [2, 10, 20, 50])
@pytest.mark.parametrize("timesteps", ["trailing", "logsnr"])
def test_dpm_solver_walks_as_diffusers_does(
    unet: Callable[[int], UNet], monkeypatch: pytest.MonkeyPatch, steps: int, timesteps: Any
) -> None:
    model = unet(4).double()
    table = plan("dpmpp_2m", linear_betas(), steps, timesteps=timesteps)
    scheduler = make_dpm_solver(table.timesteps.tolist() if timesteps == "logsnr" else steps)
    # Its tables and its step round to float32, which would hide what differs below 1e-6.
    monkeypatch.setattr(diffusers.schedulers.scheduling_dpmsolver_multistep, "torch", ExactTorch())
    expected = z = start()

    found_steps = sample(model, table, SEED, IMAGES, start=SampleStep(0, z))
    for t, found in zip(scheduler.timesteps, found_steps, strict=True):
        expected = scheduler.step(predict(model, expected, t), t, expected).prev_sample

        assert expected.dtype == torch.float64
        torch.testing.assert_close(found.z, expected, rtol=0, atol=TOLERANCE)
    assert (expected - z).abs().max() > 0.1


def test_dpm_solver_as_diffusers_ships_it_rounds_to_float32(unet: Callable[[int], UNet]) -> None:
    model = unet(4).double()
    scheduler = make_dpm_solver([t - 1 for t in LOGSNR_20])
    expected = z = start()

    table = plan("dpmpp_2m", linear_betas(), 20)
    *_, found = sample(model, table, SEED, IMAGES, start=SampleStep(0, z))
    for t in scheduler.timesteps:
        expected = scheduler.step(predict(model, expected, t), t, expected).prev_sample

    torch.testing.assert_close(found.z, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("steps", [5, 10, 15, 20])
def test_logsnr_timesteps_are_those_of_diffusers(steps: int) -> None:
    scheduler = DPMSolverMultistepScheduler(1000, use_lu_lambdas=True)
    use_exact_tables(scheduler)
    scheduler.set_timesteps(steps)

    found = plan("dpmpp_2m", linear_betas(), steps).timesteps

    # Both round the same log-SNRs, they by interpolation in t and we to the nearest log-SNR.
    assert (found - scheduler.timesteps).abs().max() <= 1
    if steps == 20:
        assert (found + 1).tolist() == LOGSNR_20


def make_dpm_solver(steps: int | list[int]) -> DPMSolverMultistepScheduler:
    """Theirs for a number of trailing timesteps or for given ones, with tables in float64."""
    scheduler = DPMSolverMultistepScheduler(
        1000, timestep_spacing="trailing", algorithm_type="dpmsolver++", solver_order=2
    )
    use_exact_tables(scheduler)
    if isinstance(steps, int):
        scheduler.set_timesteps(steps)
    else:
        scheduler.set_timesteps(timesteps=steps)
    abar = scheduler.alphas_cumprod[scheduler.timesteps].numpy()
    sigmas = np.append(np.sqrt((1 - abar) / abar), 0)
    np.testing.assert_allclose(scheduler.sigmas, sigmas, rtol=1e-6)
    scheduler.sigmas = torch.from_numpy(sigmas)
    return scheduler
