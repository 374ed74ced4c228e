"""The course's arithmetic, step by step against an implementation that is not ours."""

from collections.abc import Callable

import diffusers.schedulers.scheduling_ddpm
import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler
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

SEED, IMAGES, SHAPE = 11, [4, 9], (1, 16, 16)
TOLERANCE = 1e-9


def use_exact_tables(scheduler: DDPMScheduler | DDIMScheduler) -> None:
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
    ("variance", "theirs", "steps"),
    [
        ("beta", "fixed_large", 1000),
        ("posterior", "fixed_small", 1000),
        ("beta", "fixed_large", 50),
    ],
)
def test_ddpm_walks_as_diffusers_does(
    unet: Callable[[int], UNet],
    monkeypatch: pytest.MonkeyPatch,
    variance: str,
    theirs: str,
    steps: int,
) -> None:
    model = unet(4).double()
    scheduler = DDPMScheduler(
        1000, variance_type=theirs, clip_sample=False, timestep_spacing="trailing"
    )
    use_exact_tables(scheduler)
    scheduler.set_timesteps(steps)
    # Its step draws the noise itself, so ours is put where it draws.
    # It would add noise in the last of fewer than 1000 steps too; we give it none there.
    draws = (noise_of_step(step) * (step < steps - 1) for step in range(steps))
    monkeypatch.setattr(
        diffusers.schedulers.scheduling_ddpm, "randn_tensor", lambda *_, **__: next(draws)
    )
    expected = z = start()

    table = plan("ddpm", linear_betas(), steps, variance=variance)  # type: ignore[arg-type]  # a str
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

    table = plan("ddim", linear_betas(), steps, eta=eta)
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

    table = plan("ddim", linear_betas(), 20, clip_x_0=True)
    steps = sample(model, table, SEED, IMAGES, start=SampleStep(0, z))
    for t, found in zip(scheduler.timesteps, steps, strict=True):
        expected = scheduler.step(
            predict(model, expected, t), int(t), expected, use_clipped_model_output=True
        ).prev_sample

        torch.testing.assert_close(found.z, expected, rtol=0, atol=TOLERANCE)
    assert expected.abs().max() == 1
