"""Training the noise predictor: stratified timesteps, AdamW, an average of the weights."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from diffusion.noise import Purpose, noise, uniforms
from diffusion.process import GaussianProcess
from diffusion.unet import UNet


@dataclass(frozen=True)
class TrainingOptions:
    """How a noise predictor is trained."""

    batch_size: int = 64
    learning_rate: float = 5e-4  # the highest, reached after the warm-up
    warmup_steps: int = 300
    final_learning_rate: float = 0.02  # at the end of the cosine, as a fraction of the highest
    gradient_norm: float = 1.0  # longer gradients are shortened to this
    ema_decay: float = 0.999
    seed: int = 0  # of order, flips, timesteps and noise


def initialize(model: UNet, seed: int) -> None:
    """Start weights: He et al. 2015, the picture louder than the time, a quiet last layer."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
                nn.init.zeros_(torch.as_tensor(module.bias))
        first = model.get_parameter("dconv_down1.0.weight")
        first[:, :1] *= 5  # one channel beside 64 of time would be lost
        first[:, 1:] *= 0.1
        model.conv_last.weight *= 0.1


def stratified_timesteps(seed: int, step: int, batch_size: int, num_timesteps: int) -> Tensor:
    """One timestep from each of `batch_size` equal parts of 0 … T − 1, in order: int64 (B,)."""
    within = uniforms(seed, [0], step, batch_size, Purpose.TRAINING_TIMESTEP)[0]
    t = (np.arange(batch_size) + within) * (num_timesteps / batch_size)
    return torch.from_numpy(t.astype(np.int64))


def learning_rate(options: TrainingOptions, step: int, progress: float) -> float:
    """Linear warm-up by step, cosine by the share of the training that is done (0 … 1)."""
    warmup = min(1.0, (step + 1) / options.warmup_steps)
    cosine = 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
    floor = options.final_learning_rate
    return options.learning_rate * warmup * (floor + (1 - floor) * cosine)


class Training:
    """A noise predictor, its optimizer and its averaged weights, moved on one step at a time.

    Source: Ho et al. 2020 (DDPM, arXiv:2006.11239), algorithm 1.

    Attributes:
        model: the network being trained, float32; channels_last, and bfloat16 inside.
        averaged: the exponential moving average of its weights: the one to keep.
        step: steps done.
    """

    def __init__(
        self,
        model: UNet,
        betas: Tensor,
        faces: NDArray[np.uint8],
        options: TrainingOptions,
    ) -> None:
        """Train `model` on gray faces, uint8 (N, 48, 48); N at least the batch size."""
        if len(faces) < options.batch_size:
            raise ValueError(
                f"training needs at least one batch of {options.batch_size} faces, not {len(faces)}"
            )
        model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch lacks it
        self.model = model.train()
        self.averaged = UNet(model.width, len(betas))
        self.averaged.load_state_dict(model.state_dict())
        self.options = options
        self.step = 0
        self._process = GaussianProcess(betas)
        self._faces = faces
        self._order_epoch, self._order = -1, np.empty(0, np.int64)
        self._optimizer = torch.optim.AdamW(model.parameters(), lr=options.learning_rate)

    @property
    def images_seen(self) -> int:
        """Pictures shown so far, each with its own noise."""
        return self.step * self.options.batch_size

    def advance(self, progress: float) -> float:
        """Take one step.

        Args:
            progress: share of the whole training that is done, 0 … 1: sets the learning rate.

        Returns:
            The batch's mean squared error of eps.
        """
        x_0, t, eps = self._batch()
        rate = learning_rate(self.options, self.step, progress)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        z_t = self._process.q_sample(x_0, t, eps)
        with torch.autocast("cpu", torch.bfloat16):
            predicted = self.model(z_t, t)
        loss = (predicted.float() - eps).square().mean()
        self._optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), self.options.gradient_norm)
        self._optimizer.step()
        self._average()
        self.step += 1
        return float(loss.detach())

    def state_dict(self) -> dict[str, Any]:
        """All that `load_state_dict` needs to go on from here."""
        return {
            "model": self.model.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "step": self.step,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken, with the same faces and options."""
        self.model.load_state_dict(state["model"])
        self.averaged.load_state_dict(state["averaged"])
        self._optimizer.load_state_dict(state["optimizer"])
        self.step = state["step"]

    def _batch(self) -> tuple[Tensor, Tensor, Tensor]:
        seed, size = self.options.seed, self.options.batch_size
        batches = len(self._faces) // size
        epoch, position = divmod(self.step, batches)
        if epoch != self._order_epoch:
            keys = uniforms(seed, range(len(self._faces)), epoch, 1, Purpose.DATA_ORDER)
            self._order_epoch, self._order = epoch, np.argsort(keys[:, 0], kind="stable")
        faces = self._faces[self._order[position * size : (position + 1) * size]]
        is_flipped = uniforms(seed, [0], self.step, size, Purpose.AUGMENTATION)[0] < 1 / 2
        faces = np.where(is_flipped[:, None, None], faces[:, :, ::-1], faces)
        x_0 = torch.from_numpy(faces).float()[:, None] / 127.5 - 1
        t = stratified_timesteps(seed, self.step, size, len(self._process.betas))
        eps = noise(seed, range(size), self.step, x_0.shape[1:], Purpose.TRAINING_NOISE)
        return x_0, t, eps

    @torch.no_grad()
    def _average(self) -> None:
        # The average warms up, or its start weights would linger.
        decay = min(self.options.ema_decay, (1 + self.step) / (10 + self.step))
        averaged: list[Tensor] = list(self.averaged.parameters())
        current: list[Tensor] = list(self.model.parameters())
        torch._foreach_lerp_(averaged, current, 1 - decay)
