"""What every training here has in common: AdamW, an average of the weights, exact resuming."""

import copy
import hashlib
import math
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from time import monotonic
from typing import Any, ClassVar, Generic, TypeVar

import torch
from torch import Tensor, nn

from diffusion.errors import TrainingDivergedError
from diffusion.precision import has_fast_bfloat16
from diffusion.training_curves import Curve
from diffusion.training_options import LoopOptions, TrainingLimit, learning_rate
from diffusion.training_state import (
    check_fingerprint,
    decode_state,
    encode_state,
    optimizer_tensors,
    restore_optimizer,
)

EVALUATIONS = 40  # of the held-out figures, in a whole training
RECENT_STEPS = 32  # that `images_per_second` looks back on

Network = TypeVar("Network", bound=nn.Module)


class TrainingLoop(ABC, Generic[Network]):
    """A network, its optimizer and its averaged weights, moved on one step at a time.

    On a CPU, with the same number of threads, the same data, options and limit give the same
    weights bit for bit, however often the training is saved and resumed; a limit in minutes is the
    exception, as its learning rate follows the clock. On a GPU some sums have no fixed order.

    Attributes:
        options: how it is trained.
        limit: when it ends.
        model: the network being trained, float32, channels_last.
        averaged: the exponential moving average of its weights: the one to keep.
        step: steps done.
        seconds: of training, those before a stop included.
    """

    measured: ClassVar[Sequence[str]]  # the curves of held-out figures
    loss_unit: ClassVar[float] = 1.0  # what the curve of the loss multiplies it by

    def __init__(
        self,
        start: Network,
        options: LoopOptions,
        limit: TrainingLimit,
        device: torch.device | str,
        dtype: torch.dtype | None,
    ) -> None:
        """Be ready for the first step.

        Args:
            start: the network with its start weights; left as it is.
            options: how to train.
            limit: when to end.
            device: where to train, a CPU or a CUDA device.
            dtype: inside the network, weights stay float32; by default that of the state that is
                loaded, or bfloat16 where `has_fast_bfloat16`, else float32.
        """
        self.limit = limit
        self.options = options
        self.device = torch.device(device)
        is_fast = dtype is None and has_fast_bfloat16(self.device)
        self.dtype = dtype or (torch.bfloat16 if is_fast else torch.float32)
        self._is_dtype_given = dtype is not None
        self.step, self.seconds = 0, 0.0
        self.model, self.averaged = self._place(start), self._place(start)
        self.averaged.requires_grad_(False)
        self._optimizer = torch.optim.AdamW(
            self.model.parameters(), weight_decay=options.weight_decay, fused=True
        )
        self._curves = {name: Curve() for name in ("loss", *self.measured)}
        self._evaluations = 0
        self._recent: deque[float] = deque(maxlen=RECENT_STEPS)

    @abstractmethod
    def _batch_loss(self) -> Tensor:
        """The loss of the next step's batch under `model`, a scalar with its gradient."""

    @abstractmethod
    def _measure(self) -> Mapping[str, float]:
        """The held-out figures of the averaged weights, by the names in `measured`."""

    @abstractmethod
    def _data_fingerprint(self) -> dict[str, Any]:
        """What a saved state must have in common beside the options."""

    @property
    def images_seen(self) -> int:
        """Faces shown so far, each with its own noise."""
        return self.step * self.options.batch_size

    @property
    def share(self) -> float:
        """How much of the limit is done, 0 … 1."""
        return self.limit.share(self.step, self.options.batch_size, self.seconds)

    @property
    def has_ended(self) -> bool:
        """Whether there is nothing more to learn."""
        return self.share >= 1

    @property
    def images_per_second(self) -> float:
        """Measured over the last steps; 0 before the first."""
        spent = sum(self._recent)
        return len(self._recent) * self.options.batch_size / spent if spent else 0.0

    def run(self) -> Iterator[float]:
        """Train to the end. Stopping is not asking for the next step.

        Yields:
            Each step's loss.

        Raises:
            TrainingDivergedError: see `advance`.
        """
        while not self.has_ended:
            yield self.advance()

    def advance(self) -> float:
        """Take one step, and where it is due measure the held-out figures.

        Returns:
            The batch's loss, in the unit of its curve.

        Raises:
            TrainingDivergedError: loss or gradient is not finite; no weight was changed.
        """
        began = monotonic()
        loss = self._learn() * self.loss_unit
        self.step += 1
        self._curves["loss"].add(self.step, loss)
        spent = monotonic() - began
        self._recent.append(spent)
        self.seconds += spent
        due = self._evaluations_due()
        if due > self._evaluations:
            began = monotonic()
            self._evaluations = due
            for name, value in self._measure().items():
                self._curves[name].add(self.step, value)
            self.seconds += monotonic() - began
        return loss

    def curves(self) -> dict[str, list[list[float]]]:
        """Few points of [steps done, mean loss], and of [steps done, held-out figure]."""
        return {name: curve.points for name, curve in self._curves.items()}

    def fingerprint(self) -> dict[str, Any]:
        """What a saved state must have in common with the training that goes on from it.

        The limit is not part of it: a training may be resumed with a longer one.
        """
        return {**asdict(self.options), **self._data_fingerprint()}

    def save_state(self) -> bytes:
        """All that `load_state` needs to go on from here, as safetensors."""
        tensors = {
            **{f"model/{name}": value for name, value in self.model.state_dict().items()},
            **{f"averaged/{name}": value for name, value in self.averaged.state_dict().items()},
            **optimizer_tensors(self._optimizer, self.model),
            **self._more_tensors(),
        }
        values = {
            "fingerprint": self.fingerprint(),
            "step": self.step,
            "seconds": self.seconds,
            "precision": str(self.dtype).removeprefix("torch."),
            "curves": {name: curve.to_dict() for name, curve in self._curves.items()},
            **self._more_values(),
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
        self._curves = {name: Curve.from_dict(values["curves"][name]) for name in self._curves}
        self._evaluations = self._evaluations_due()
        self._take_more(tensors, values)

    def _more_tensors(self) -> dict[str, Tensor]:
        return {}

    def _more_values(self) -> dict[str, Any]:
        return {}

    def _take_more(self, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
        """Take back what `_more_tensors` and `_more_values` gave."""

    def _place(self, start: Network) -> Network:
        network = copy.deepcopy(start).to(self.device)
        return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch lacks it

    def _evaluations_due(self) -> int:
        return math.floor(EVALUATIONS * self.share)

    def _learn(self) -> float:
        rate = learning_rate(self.options, self.step, self.share)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        loss = self._batch_loss()
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

    def _run(self, network: nn.Module, z_t: Tensor, t: Tensor) -> Tensor:
        """What a network says, in float32, computed in `dtype`."""
        is_narrow = self.dtype != torch.float32
        with torch.autocast(self.device.type, self.dtype, enabled=is_narrow):
            said: Tensor = network(z_t, t.to(self.device))
        return said.float()

    @torch.no_grad()
    def _average(self) -> None:
        # The average warms up, or its start weights would linger.
        decay = min(self.options.ema_decay, (1 + self.step) / (10 + self.step))
        averaged: list[Tensor] = list(self.averaged.parameters())
        current: list[Tensor] = list(self.model.parameters())
        torch._foreach_lerp_(averaged, current, 1 - decay)


def weights_sha256(network: nn.Module) -> str:
    """The SHA-256 of a network's weights on the CPU, in their own order."""
    digest = hashlib.sha256()
    for tensor in network.state_dict().values():
        digest.update(tensor.contiguous().numpy().data)
    return digest.hexdigest()
