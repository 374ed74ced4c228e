"""Guidance: the gradient of an age regressor pushes each image towards a target age.

Sources: Dhariwal and Nichol 2021 (arXiv:2105.05233), algorithms 1 and 2; Prince, Understanding
Deep Learning, section 18.6.3; the interval after Kynkäänniemi et al. 2024 (arXiv:2404.07724); the
gradient at the predicted x_0 after Bansal et al. 2023 (arXiv:2302.07121).
"""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from diffusion.aged_faces import YEARS
from diffusion.checkpoints import RegressorCheckpoint
from diffusion.errors import UnmeasuredRegressorError
from diffusion.fixed_batches import in_fixed_batches
from diffusion.process import GaussianProcess
from diffusion.unet import UNet


@dataclass(frozen=True)
class GuidanceOptions:
    """How strongly, where and how images are pushed.

    Attributes:
        likelihood: log Pr(y | z_t) is −(ŷ − y)², ages in years ("plain", the assignment's), or
            −(ŷ − y)² / (2·MSE(t)), MSE being the regressor's held-out error ("calibrated").
        scale: multiplies its gradient, at least 0.
        form: "mean" adds scale·σ²·gradient to the mean of an ancestral step (algorithm 1); "eps"
            takes scale·sqrt(1 − abar)·gradient from eps (algorithm 2), which suits every sampler.
        gradient: where the regressor looks: at z_t, or at the predicted x_0; then the gradient
            goes through the noise predictor too.
        sigma_min: no guidance where σ = sqrt(1 / abar − 1) is below it.
        sigma_max: no guidance where σ is above it.
        clip: of an image's push of eps, the longest as a share of eps; None: any.

    Raises:
        ValueError: a value is outside its range.
    """

    likelihood: Literal["plain", "calibrated"] = "calibrated"
    scale: float = 4.0
    form: Literal["mean", "eps"] = "eps"
    gradient: Literal["z_t", "x_0"] = "z_t"
    sigma_min: float = 0.0
    sigma_max: float = math.inf
    clip: float | None = None

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name, is_right, allowed in (
            ("likelihood", self.likelihood in ("plain", "calibrated"), "plain or calibrated"),
            ("scale", 0 <= self.scale < math.inf, "at least 0"),
            ("form", self.form in ("mean", "eps"), "mean or eps"),
            ("gradient", self.gradient in ("z_t", "x_0"), "z_t or x_0"),
            ("sigma_min", 0 <= self.sigma_min < self.sigma_max, "within 0 and sigma_max"),
            ("clip", self.clip is None or self.clip > 0, "positive, or None"),
        ):
            if not is_right:
                raise ValueError(f"{name} must be {allowed}, not {getattr(self, name)}")


class AgeGuide:
    """Pushes each of n images towards its own target age.

    On a CPU the push of an image is the same bytes whoever else is in the batch.
    """

    def __init__(
        self,
        regressor: RegressorCheckpoint,
        options: GuidanceOptions,
        target_ages: Sequence[float],
        *,
        predictor: UNet | None = None,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        """Ready frozen copies of the networks.

        Args:
            regressor: trained on the noise schedule that is sampled.
            options: how to push.
            target_ages: in years, one for each image.
            predictor: the noise predictor, needed for a gradient at the predicted x_0.
            device: where z is.
            dtype: of all but the first and last layers.

        Raises:
            UnmeasuredRegressorError: calibrated guidance by a regressor of unknown error.
            ValueError: the predictor is missing.
        """
        if options.likelihood == "calibrated" and regressor.squared_errors is None:
            raise UnmeasuredRegressorError(
                "calibrated guidance needs the regressor's held-out error by timestep, which its "
                "checkpoint does not hold; use plain guidance"
            )
        if options.gradient == "x_0" and predictor is None:
            raise ValueError("a gradient at the predicted x_0 needs the noise predictor")
        self.form = options.form
        self._options = options
        self._device = torch.device(device)
        self._regressor = _ready(regressor.model, self._device, dtype)
        self._predictor = None if predictor is None else _ready(predictor, self._device, dtype)
        self._squared_errors = regressor.squared_errors
        self._abar = GaussianProcess(regressor.betas).alphas_cumprod
        self._targets = torch.tensor(target_ages, dtype=torch.float32, device=self._device)

    def acts_at(self, t: int) -> bool:
        """Whether there is guidance at timestep index t."""
        sigma = float((1 / self._abar[t] - 1).sqrt())
        options = self._options
        return options.scale > 0 and options.sigma_min <= sigma <= options.sigma_max

    def __call__(self, t: int, z: Tensor, eps: Tensor) -> Tensor | None:
        """Scale · ∂ log Pr(y | z_t) / ∂z_t of each image; None where there is no guidance.

        The gradient is of the sum over images, so that none depends on how many there are.

        Args:
            t: timestep index, within 0 and T − 1.
            z: (n, 1, 48, 48).
            eps: what the noise predictor said of it, of the same shape.

        Returns:
            Of z's shape and dtype.
        """
        if not self.acts_at(t):
            return None
        weight = self._weight(t)

        def gradient(z_t: Tensor, targets: Tensor) -> Tensor:
            with torch.enable_grad():
                x = z_t.detach().requires_grad_()
                log_likelihood = -weight * (self._ages(x, t) - targets).square().sum()
                (slope,) = torch.autograd.grad(log_likelihood, x)
            return slope

        if self._device.type == "cpu":
            push = in_fixed_batches(gradient, z.float(), self._targets)
        else:
            push = gradient(z.float(), self._targets)
        return self._clipped(push, t, eps).to(z.dtype)

    def _weight(self, t: int) -> float:
        if self._options.likelihood == "plain":
            return self._options.scale
        assert self._squared_errors is not None
        return self._options.scale / (2 * float(self._squared_errors[t]))

    def _ages(self, z_t: Tensor, t: int) -> Tensor:
        """What the regressor says of z_t or of the x_0 predicted from it, in years."""
        at = torch.full((len(z_t),), t, device=z_t.device)
        if self._options.gradient == "z_t":
            return self._regressor(z_t, at) * YEARS
        assert self._predictor is not None
        abar = float(self._abar[t])
        eps = self._predictor(z_t, at).float()
        pred_x_0 = (z_t - math.sqrt(1 - abar) * eps) / math.sqrt(abar)
        return self._regressor(pred_x_0, torch.zeros_like(at)) * YEARS

    def _clipped(self, push: Tensor, t: int, eps: Tensor) -> Tensor:
        if self._options.clip is None:
            return push
        spread = math.sqrt(1 - float(self._abar[t]))
        longest = self._options.clip * _lengths(eps)
        share = longest / (spread * _lengths(push)).clamp(min=torch.finfo(push.dtype).tiny)
        return push * share.clamp(max=1)[:, None, None, None].to(push.dtype)


def _lengths(images: Tensor) -> Tensor:
    return images.float().flatten(1).square().sum(dim=1).sqrt()


def _ready(network: torch.nn.Module, device: torch.device, dtype: torch.dtype) -> torch.nn.Module:
    frozen = copy.deepcopy(network).eval().requires_grad_(False).to(device)
    if dtype != torch.float32:
        frozen.round_to(dtype)  # type: ignore[operator]  # both networks can
    return frozen.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch lacks it
