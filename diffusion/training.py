"""Training the noise predictor: stratified timesteps, AdamW, an average of the weights."""

import hashlib
import math
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict
from time import monotonic
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from diffusion.checkpoints import Checkpoint
from diffusion.errors import TrainingDivergedError
from diffusion.initialization import initialize
from diffusion.precision import has_fast_bfloat16
from diffusion.process import GaussianProcess
from diffusion.schedule import linear_betas
from diffusion.training_curves import Curve
from diffusion.training_data import TENTHS, Batch, TrainingFaces
from diffusion.training_options import TrainingLimit, TrainingOptions, learning_rate
from diffusion.training_state import (
    check_fingerprint,
    decode_state,
    encode_state,
    optimizer_tensors,
    restore_optimizer,
)
from diffusion.unet import UNet

EVALUATIONS = 40  # of the held-out loss, in a whole training
RECENT_STEPS = 32  # that `images_per_second` looks back on


class Training:
    """A noise predictor, its optimizer and its averaged weights, moved on one step at a time.

    On a CPU, with the same number of threads, the same faces, options and limit give the same
    weights bit for bit, however often the training is saved and resumed; a limit in minutes is the
    exception, as its learning rate follows the clock. On a GPU some sums have no fixed order.

    Source: Ho et al. 2020 (DDPM, arXiv:2006.11239), algorithm 1.

    Attributes:
        model: the network being trained, float32, channels_last.
        averaged: the exponential moving average of its weights: the one to keep.
        betas: the noise schedule, float32 (T,).
        step: steps done.
        seconds: of training, those before a stop included.
        faces: what is trained on.
        initial_description: of the checkpoint that it started from, where there was one.
        initial_sha256: of that one's weights.
    """

    def __init__(
        self,
        faces: NDArray[np.uint8],
        options: TrainingOptions,
        limit: TrainingLimit,
        *,
        initial: Checkpoint | None = None,
        device: torch.device | str = "cpu",
        dtype: torch.dtype | None = None,
    ) -> None:
        """Be ready for the first step.

        Args:
            faces: gray, uint8 (N, 48, 48); beside those held out at least one batch.
            options: how to train.
            limit: when to end.
            initial: start from its weights, and keep its schedule; by default from random weights
                and the course's schedule.
            device: where to train, a CPU or a CUDA device.
            dtype: inside the network, weights stay float32; by default that of the state that is
                loaded, or bfloat16 where `has_fast_bfloat16`, else float32.

        Raises:
            ValueError: there are too few faces, or the initial network has another width.
        """
        self.options, self.limit = options, limit
        self.device = torch.device(device)
        is_fast = dtype is None and has_fast_bfloat16(self.device)
        self.dtype = dtype or (torch.bfloat16 if is_fast else torch.float32)
        self._is_dtype_given = dtype is not None
        self.betas = linear_betas() if initial is None else initial.betas
        self.step, self.seconds = 0, 0.0
        start = _start_network(options, initial, len(self.betas))
        self.initial_description = None if initial is None else initial.description
        self.initial_sha256 = None if initial is None else _weights_sha256(start)
        self.model, self.averaged = self._place(start), self._place(start)
        self.averaged.requires_grad_(False)
        self.faces = TrainingFaces(faces, options, len(self.betas), self.device)
        self._process = GaussianProcess(self.betas)
        self._weights = _loss_weights(self._process, options.min_snr_gamma)
        self._optimizer = torch.optim.AdamW(self.model.parameters(), weight_decay=0, fused=True)
        self._losses, self._held_out_losses = Curve(), Curve()
        self._evaluations = 0
        self._recent: deque[float] = deque(maxlen=RECENT_STEPS)

    @property
    def images_seen(self) -> int:
        """Faces shown so far, each with its own noise."""
        return self.step * self.options.batch_size

    @property
    def share(self) -> float:
        """How much of the limit is done, 0 … 1."""
        return self.limit.share(self.step, self.options.batch_size, self.seconds)

    @property
    def images_per_second(self) -> float:
        """Measured over the last steps; 0 before the first."""
        spent = sum(self._recent)
        return len(self._recent) * self.options.batch_size / spent if spent else 0.0

    def run(self) -> Iterator[float]:
        """Train to the limit. Stopping is not asking for the next step.

        Yields:
            Each step's loss.

        Raises:
            TrainingDivergedError: see `advance`.
        """
        while self.share < 1:
            yield self.advance()

    def advance(self) -> float:
        """Take one step, and where it is due measure the held-out loss.

        Returns:
            The batch's mean squared error of eps, weighted as the options say.

        Raises:
            TrainingDivergedError: loss or gradient is not finite; no weight was changed.
        """
        began = monotonic()
        loss = self._learn(self.faces.batch(self.step))
        self.step += 1
        self._losses.add(self.step, loss)
        spent = monotonic() - began
        self._recent.append(spent)
        self.seconds += spent
        due = self._evaluations_due()
        if due > self._evaluations:
            began = monotonic()
            self._evaluations = due
            self._held_out_losses.add(self.step, self.held_out_loss())
            self.seconds += monotonic() - began
        return loss

    def held_out_loss(self, tenth: int | None = None) -> float:
        """The averaged weights' mean squared error of eps on faces that are not trained on.

        Args:
            tenth: of the timesteps, 0 … 9; by default all of them.
        """
        total, count = 0.0, 0
        with torch.no_grad():
            for batch in self.faces.held_out_batches(tenth):
                total += float(self._errors(self.averaged, batch).double().sum())
                count += len(batch.t)
        return total / count

    def held_out_loss_by_tenth(self) -> list[float]:
        """`held_out_loss` of each tenth of the timesteps, the least noise first."""
        return [self.held_out_loss(tenth) for tenth in range(TENTHS)]

    def curves(self) -> dict[str, list[list[float]]]:
        """Few points of [steps done, mean loss], and of [steps done, held-out loss]."""
        return {"loss": self._losses.points, "held_out_loss": self._held_out_losses.points}

    def fingerprint(self) -> dict[str, Any]:
        """What a saved state must have in common with the training that goes on from it.

        The limit is not part of it: a training may be resumed with a longer one.
        """
        return {
            **asdict(self.options),
            "betas": [float(self.betas[0]), float(self.betas[-1]), len(self.betas)],
            "faces_sha256": self.faces.sha256,
            "initial_sha256": self.initial_sha256,
        }

    def save_state(self) -> bytes:
        """All that `load_state` needs to go on from here, as safetensors."""
        tensors = {
            **{f"model/{name}": value for name, value in self.model.state_dict().items()},
            **{f"averaged/{name}": value for name, value in self.averaged.state_dict().items()},
            **optimizer_tensors(self._optimizer, self.model),
        }
        values = {
            "fingerprint": self.fingerprint(),
            "step": self.step,
            "seconds": self.seconds,
            "precision": str(self.dtype).removeprefix("torch."),
            "loss": self._losses.to_dict(),
            "held_out_loss": self._held_out_losses.to_dict(),
        }
        return encode_state(tensors, values)

    def load_state(self, content: bytes) -> None:
        """Go on where `save_state` was called.

        Raises:
            TrainingStateError: the bytes are damaged, or of a training with other options, faces
                or start weights.
        """
        tensors, values = decode_state(content)
        check_fingerprint(values["fingerprint"], self.fingerprint())
        for network, prefix in ((self.model, "model/"), (self.averaged, "averaged/")):
            network.load_state_dict(
                {name: tensors[prefix + name] for name in network.state_dict()}, strict=True
            )
        restore_optimizer(self._optimizer, self.model, tensors)
        self.step, self.seconds = values["step"], values["seconds"]
        if not self._is_dtype_given:  # what is fast was measured, and may be found otherwise now
            self.dtype = getattr(torch, values["precision"])
        self._losses = Curve.from_dict(values["loss"])
        self._held_out_losses = Curve.from_dict(values["held_out_loss"])
        self._evaluations = self._evaluations_due()

    def _place(self, start: UNet) -> UNet:
        network = UNet(start.width, len(self.betas))
        network.load_state_dict(start.state_dict())
        network = network.to(self.device)
        return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch lacks it

    def _evaluations_due(self) -> int:
        return math.floor(EVALUATIONS * self.share)

    def _learn(self, batch: Batch) -> float:
        rate = learning_rate(self.options, self.step, self.share)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        errors = self._errors(self.model, batch)
        loss = (errors * self._weights[batch.t].to(self.device)).mean()
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch lacks it
        parameters = self.model.parameters()
        norm = nn.utils.clip_grad_norm_(parameters, self.options.gradient_norm)
        value, length = torch.stack([loss.detach(), norm]).tolist()  # the one wait for the device
        if not (math.isfinite(value) and math.isfinite(length)):
            raise TrainingDivergedError(self.step, value, length, rate)
        self._optimizer.step()
        self._average()
        return value

    def _errors(self, network: UNet, batch: Batch) -> Tensor:
        z_t = self._process.q_sample(batch.x_0, batch.t, batch.eps)
        is_narrow = self.dtype != torch.float32
        with torch.autocast(self.device.type, self.dtype, enabled=is_narrow):
            predicted = network(z_t, batch.t.to(self.device))
        return (predicted.float() - batch.eps).square().flatten(1).mean(dim=1)

    @torch.no_grad()
    def _average(self) -> None:
        # The average warms up, or its start weights would linger.
        decay = min(self.options.ema_decay, (1 + self.step) / (10 + self.step))
        averaged: list[Tensor] = list(self.averaged.parameters())
        current: list[Tensor] = list(self.model.parameters())
        torch._foreach_lerp_(averaged, current, 1 - decay)


def _start_network(options: TrainingOptions, initial: Checkpoint | None, timesteps: int) -> UNet:
    network = UNet(options.width, timesteps)
    if initial is None:
        initialize(network, options.seed)
        return network
    if initial.model.width != options.width:
        raise ValueError(
            f"the initial network has width {initial.model.width}, "
            f"but the options ask for width {options.width}; they must be equal"
        )
    network.load_state_dict(initial.model.state_dict())
    return network


def _weights_sha256(network: UNet) -> str:
    digest = hashlib.sha256()
    for tensor in network.state_dict().values():
        digest.update(tensor.contiguous().numpy().data)
    return digest.hexdigest()


def _loss_weights(process: GaussianProcess, gamma: float | None) -> Tensor:
    """Hang et al. 2023 (min-SNR, arXiv:2303.09556), equation 7 turned to eps: float32 (T,)."""
    ratio = process.alphas_cumprod / (1 - process.alphas_cumprod)
    if gamma is None:
        return torch.ones_like(ratio, dtype=torch.float32)
    return (ratio.clamp(max=gamma) / ratio).float()
