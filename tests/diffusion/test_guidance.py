"""Guidance: what pushes, how far, and that no image depends on its company."""

import math

import pytest
import torch
from torch import Tensor

from diffusion import SampleStep, linear_betas, noise, plan
from diffusion.checkpoints import RegressorCheckpoint
from diffusion.errors import UnmeasuredRegressorError
from diffusion.guidance import AgeGuide, GuidanceOptions
from diffusion.initialization import initialize, initialize_regressor
from diffusion.noise import Purpose
from diffusion.process import GaussianProcess
from diffusion.regressor import AgeRegressor
from diffusion.sampling import guided_sample, sample
from diffusion.unet import UNet
from formats.description import CheckpointDescription

BETAS = linear_betas()
ABAR = GaussianProcess(BETAS).alphas_cumprod
SHAPE = (1, 48, 48)


def regressor(squared_errors: Tensor | None = None) -> RegressorCheckpoint:
    network = AgeRegressor(8)
    initialize_regressor(network, 1)
    described = CheckpointDescription("age_regressor", 8)
    return RegressorCheckpoint(network.eval(), BETAS, described, squared_errors)


def measured() -> RegressorCheckpoint:
    return regressor(torch.linspace(64, 400, 1000, dtype=torch.float64))


def faces(count: int, seed: int = 3) -> Tensor:
    return noise(seed, range(count), 0, SHAPE, Purpose.START)


class SlopeGuide:
    """Of log Pr(y | z_t) = <slope, z_t>: the exact answer is known."""

    def __init__(self, form, scale: float) -> None:
        self.form, self._scale = form, scale

    def __call__(self, t: int, z: Tensor, eps: Tensor) -> Tensor:
        return torch.full_like(z, self._scale)


def gaussian_model(z: Tensor, t: Tensor) -> Tensor:
    """The noise in z_t where x ~ N(0, 1) for each pixel: E[eps | z_t] = sqrt(1 − abar)·z_t."""
    return (1 - ABAR[t]).sqrt().to(z.dtype)[:, None, None, None] * z


@pytest.mark.parametrize(
    ("sampler", "form", "steps"),
    [("ddpm", "mean", 1000), ("ddpm", "eps", 1000), ("ddim", "eps", 1000), ("dpmpp_2m", "eps", 60)],
)
def test_an_exact_gradient_moves_a_gaussian_to_its_exact_posterior(sampler, form, steps):
    # With x ~ N(0, 1), log Pr(y | x) = c·x gives x | y ~ N(c, 1); and of z_t the gradient is
    # sqrt(abar)·c, since z_t | y ~ N(sqrt(abar)·c, 1).
    pull = 0.7

    class Exact(SlopeGuide):
        def __call__(self, t, z, eps):
            return torch.full_like(z, pull * math.sqrt(ABAR[t]))

    table = plan(sampler, BETAS, steps)
    start = noise(1, [0], 0, (1, 64, 64), Purpose.START, dtype=torch.float64)
    start += pull * math.sqrt(ABAR[-1])
    *_, last = guided_sample(gaussian_model, table, Exact(form, 1), 5, [0], SampleStep(0, start))

    assert last.z.mean().item() == pytest.approx(pull, abs=0.06)
    assert last.z.std().item() == pytest.approx(1, abs=0.05)


def test_a_guide_of_scale_zero_changes_nothing():
    table = plan("ddpm", BETAS, 5)
    start = SampleStep(0, faces(2))
    guide = AgeGuide(measured(), GuidanceOptions(scale=0), [20, 60])

    guided = list(guided_sample(gaussian_model, table, guide, 5, range(2), start))
    plain = list(sample(gaussian_model, table, 5, range(2), start=start))

    assert all(torch.equal(a.z, b.z) for a, b in zip(guided, plain, strict=True))


@pytest.mark.parametrize("gradient", ["z_t", "x_0"])
@pytest.mark.parametrize("likelihood", ["plain", "calibrated"])
def test_the_push_is_the_gradient_of_the_likelihood(gradient, likelihood):
    checkpoint = measured()
    network = UNet(8).eval()
    initialize(network, 2)
    options = GuidanceOptions(likelihood, 0.5, gradient=gradient)
    guide = AgeGuide(checkpoint, options, [70.0], predictor=network)
    z, t, direction = faces(1), 300, faces(1, seed=9).double()
    exact_network, exact_regressor = UNet(8).double(), AgeRegressor(8).double().eval()
    exact_network.load_state_dict(network.state_dict())
    exact_regressor.load_state_dict(checkpoint.model.state_dict())

    def log_likelihood(at: Tensor) -> float:
        timesteps = torch.tensor([t])
        with torch.no_grad():
            x = at
            if gradient == "x_0":
                eps = exact_network(at, timesteps)
                x = (at - (1 - ABAR[t]).sqrt() * eps) / ABAR[t].sqrt()
                timesteps = torch.tensor([0])
            age = exact_regressor(x, timesteps).item() * 100
        variance = 1.0 if likelihood == "plain" else 2 * checkpoint.squared_errors[t].item()
        return -((age - 70) ** 2) / variance

    push = guide(t, z, torch.zeros_like(z))

    ahead, behind = (log_likelihood(z + step * direction) for step in (1e-6, -1e-6))
    slope = (ahead - behind) / 2e-6
    assert (push * direction).sum().item() == pytest.approx(0.5 * slope, rel=1e-3)


@pytest.mark.parametrize("threads", [1, 2])
def test_an_image_is_pushed_alike_alone_and_among_others(threads):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        z, targets = faces(11), [18.0 + 6 * number for number in range(11)]
        options = GuidanceOptions(clip=0.2)
        eps = faces(11, seed=4)
        together = AgeGuide(measured(), options, targets)(400, z, eps)
        for number in (0, 5, 10):
            one = slice(number, number + 1)
            alone = AgeGuide(measured(), options, targets[one])(400, z[one], eps[one])
            assert torch.equal(alone, together[one])
    finally:
        torch.set_num_threads(before)


def test_there_is_no_push_outside_the_interval():
    options = GuidanceOptions(sigma_min=0.2, sigma_max=1.6)
    guide = AgeGuide(measured(), options, [40.0])
    z = faces(1)

    acting = [t for t in range(0, 1000, 25) if guide(t, z, z) is not None]

    sigmas = (1 / ABAR - 1).sqrt()
    assert acting == [t for t in range(0, 1000, 25) if 0.2 <= sigmas[t] <= 1.6]


def test_a_clipped_push_is_shortened_and_not_turned():
    z, eps = faces(2), faces(2, seed=8)
    options = {"likelihood": "plain", "scale": 50.0}
    free = AgeGuide(measured(), GuidanceOptions(**options), [0.0, 100.0])(200, z, eps)
    clipped = AgeGuide(measured(), GuidanceOptions(**options, clip=0.1), [0.0, 100.0])(200, z, eps)

    shift = (1 - ABAR[200]).sqrt().item() * clipped.flatten(1).norm(dim=1)
    assert torch.allclose(shift, 0.1 * eps.flatten(1).norm(dim=1), rtol=1e-4)
    cosine = torch.nn.functional.cosine_similarity(free.flatten(1), clipped.flatten(1))
    assert torch.allclose(cosine, torch.ones(2), atol=1e-5)


def test_calibrated_guidance_needs_a_measured_regressor():
    with pytest.raises(UnmeasuredRegressorError, match="use plain guidance"):
        AgeGuide(regressor(), GuidanceOptions(), [40.0])

    AgeGuide(regressor(), GuidanceOptions("plain"), [40.0])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"scale": -1.0}, "scale must be at least 0, not -1"),
        ({"scale": math.nan}, "scale must be at least 0"),
        ({"form": "both"}, "form must be mean or eps"),
        ({"sigma_min": 3.0, "sigma_max": 2.0}, "sigma_min must be within 0 and sigma_max"),
        ({"clip": 0.0}, "clip must be positive, or None"),
    ],
)
def test_options_outside_their_ranges_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        GuidanceOptions(**wrong)
