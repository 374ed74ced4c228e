"""What the trainings of the two measuring networks share: order, learning rate, loop, command."""

import argparse
import logging
import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from diffusion.noise import Purpose, uniforms
from formats.checkpoint import CheckpointDescription, write_checkpoint

logger = logging.getLogger(__name__)

LOG_SECONDS = 60


class EpochOrder:
    """Batches of rows: each row once an epoch, in an order of its own.

    Attributes:
        count: of rows, at least one batch.
        size: of a batch; what is left over of an epoch waits for another.
    """

    def __init__(self, count: int, size: int, seed: int) -> None:
        """Order rows 0 … count − 1 by `seed`.

        Raises:
            ValueError: there is less than one batch.
        """
        if count < size:
            raise ValueError(f"training needs at least one batch of {size} faces, not {count}")
        self.count, self.size = count, size
        self._seed = seed
        self._epoch, self._order = -1, np.empty(0, np.int64)

    def rows(self, step: int) -> NDArray[np.int64]:
        """The rows of this step, int64 (size,)."""
        epoch, position = divmod(step, self.count // self.size)
        if epoch != self._epoch:
            keys = uniforms(self._seed, range(self.count), epoch, 1, Purpose.DATA_ORDER)
            self._epoch, self._order = epoch, np.argsort(keys[:, 0], kind="stable")
        return self._order[position * self.size : (position + 1) * self.size]


def rate_factor(step: int, warmup_steps: int, progress: float) -> float:
    """What the highest learning rate is multiplied by: a linear warm-up, then half a cosine.

    Args:
        step: steps done.
        warmup_steps: after which the warm-up ends.
        progress: share of the whole training that is done, 0 … 1.
    """
    warmup = min(1.0, (step + 1) / warmup_steps)
    return warmup * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))


def update(
    network: nn.Module, optimizer: torch.optim.Optimizer, loss: torch.Tensor, gradient_norm: float
) -> float:
    """Take one step along the gradient, shortened to `gradient_norm`; give the loss."""
    optimizer.zero_grad()
    torch.autograd.backward(loss)
    nn.utils.clip_grad_norm_(network.parameters(), gradient_norm)
    optimizer.step()
    return float(loss.detach())


def start_weights(network: nn.Module, seed: int, is_quiet: Callable[[str], bool]) -> None:
    """Start weights: He et al. 2015, a tenth of them in the layers whose names are quiet."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, module in network.named_modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
                if is_quiet(name):
                    module.weight *= 0.1


def run_training(advance: Callable[[float], float], seconds: float, steps: int | None) -> int:
    """Advance by `steps`, or for `seconds` where there are none.

    Args:
        advance: takes a step, told the share that is done; gives the loss.
        seconds: of training, where `steps` is None.
        steps: of training.

    Returns:
        How many steps were taken.
    """
    began = logged = time.monotonic()
    progress, done, losses = 0.0, 0, list[float]()
    while progress < 1:
        losses.append(advance(progress))
        done += 1
        now = time.monotonic()
        progress = done / steps if steps else (now - began) / seconds
        if now - logged >= LOG_SECONDS or progress >= 1:
            logger.info("step %d, loss %.4f", done, sum(losses) / len(losses))
            logged = now
            losses.clear()
    return done


def training_parser(
    program: str, about: str | None, width: int, data_seed: int
) -> argparse.ArgumentParser:
    """Asks what to train, on what and for how long."""
    parser = argparse.ArgumentParser(prog=f"python -m {program}", description=about)
    add = parser.add_argument
    add("--out", type=Path, required=True, help="the checkpoint to write")
    add("--minutes", type=float, default=12, help="of training, where --steps is not given")
    add("--steps", type=int, help="of training: then the same bytes come out again")
    add("--width", type=int, default=width, help="channels of the first level")
    add("--count", type=int, default=40_000, help="synthetic faces to train on")
    add("--data-seed", type=int, default=data_seed, help="seed of the synthetic faces")
    add("--seed", type=int, default=0, help="seed of the training")
    add("--threads", type=int, default=1, help="CPU threads")
    return parser


def command_of(program: str, arguments: argparse.Namespace) -> str:
    """The command that repeats a training."""
    length = f"--steps {arguments.steps}" if arguments.steps else f"--minutes {arguments.minutes:g}"
    return (
        f"python -m {program} --out OUT {length} "
        f"--width {arguments.width} --count {arguments.count} --data-seed {arguments.data_seed} "
        f"--seed {arguments.seed} --threads {arguments.threads}"
    )


def save_half(path: Path, network: nn.Module, description: CheckpointDescription) -> None:
    """Write a native checkpoint in half precision."""
    tensors = {name: tensor.detach().half() for name, tensor in network.state_dict().items()}
    arrays = {name: tensor.contiguous().numpy() for name, tensor in tensors.items()}
    write_checkpoint(path, arrays, description)
