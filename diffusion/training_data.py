"""Batches of faces, as a function of the seed and the step, from faces held on the device."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffusion.device_noise import noise_maker
from diffusion.noise import Purpose, noise, uniforms
from diffusion.training_options import LoopOptions

MAX_HELD_OUT = 1000  # faces kept from training, however many there are
MAX_EVALUATED = 256  # of them, in each evaluation

TENTHS = 10


@dataclass(frozen=True, eq=False)
class Batch:
    """Faces and what is to be done to them.

    Attributes:
        x_0: float32 (B, 1, 48, 48), in [-1, 1].
        t: int64 (B,), on the CPU, where the tables are.
        eps: standard normal, of x_0's shape.
        rows: which faces of the dataset they are, (B,).
    """

    x_0: Tensor
    t: Tensor
    eps: Tensor
    rows: NDArray[np.int64]


class TrainingFaces:
    """Faces as uint8 on the device (23,700 take 55 MB), some of them held out.

    Attributes:
        sha256: of the faces' bytes, as they were given.
        held_out: how many are never trained on.
        trained_on: how many are.
    """

    def __init__(
        self,
        faces: NDArray[np.uint8],
        options: LoopOptions,
        num_timesteps: int,
        device: torch.device,
    ) -> None:
        """Split the faces, uint8 (N, 48, 48), by the options' seed.

        Raises:
            ValueError: what is left is less than one batch.
        """
        held_out = min(MAX_HELD_OUT, max(1, round(options.holdout_fraction * len(faces))))
        if len(faces) - held_out < options.batch_size:
            raise ValueError(
                f"training needs at least one batch of {options.batch_size} faces beside "
                f"{held_out} held out, not {len(faces)} in all"
            )
        self.held_out, self.trained_on = held_out, len(faces) - held_out
        self.sha256 = hashlib.sha256(np.ascontiguousarray(faces).data).hexdigest()
        self._options, self._num_timesteps, self._device = options, num_timesteps, device
        self._faces = torch.from_numpy(np.ascontiguousarray(faces)).to(device)
        split = _permutation(options.seed, len(faces), 0, Purpose.HOLDOUT)
        self._held_out, self._trained = split[:held_out], split[held_out:]
        self._order_epoch, self._order = -1, split[:0]
        images = range(options.batch_size)
        like = torch.empty(0, 1, *faces.shape[1:], device=device)
        self._noise = noise_maker(options.seed, images, like, Purpose.TRAINING_NOISE)

    def batch(self, step: int) -> Batch:
        """The batch of a step: every face once in an epoch, half of them mirrored."""
        size, seed = self._options.batch_size, self._options.seed
        epoch, position = divmod(step, len(self._trained) // size)
        if epoch != self._order_epoch:
            order = _permutation(seed, len(self._trained), epoch, Purpose.DATA_ORDER)
            self._order_epoch, self._order = epoch, self._trained[order]
        rows = self._order[position * size : (position + 1) * size]
        faces = self._augment(self._take(rows), step)
        t = self._timesteps(step)
        return Batch(_to_unit_range(faces), t, self._noise(step), rows)

    def _timesteps(self, step: int) -> Tensor:
        size, seed = self._options.batch_size, self._options.seed
        return stratified_timesteps(seed, step, size, self._num_timesteps)

    def _augment(self, faces: Tensor, step: int) -> Tensor:
        """Mirror half of the faces, uint8 (B, 1, 48, 48)."""
        size, seed = len(faces), self._options.seed
        flipped_share = 1 / 2 if self._options.horizontal_flips else 0
        mirrored = uniforms(seed, [0], step, size, Purpose.AUGMENTATION)[0] < flipped_share
        is_mirrored = torch.from_numpy(mirrored).to(self._device)[:, None, None, None]
        return torch.where(is_mirrored, faces.flip(3), faces)

    def held_out_batches(
        self, tenth: int | None = None, most: int = MAX_EVALUATED
    ) -> Iterator[Batch]:
        """Held-out faces, always the same, with the same timesteps and noise.

        Args:
            tenth: of the timesteps, 0 … 9; by default all of them, as often as in training. They
                are stratified over the faces either way.
            most: of the faces that are held out.

        Yields:
            Batches of at most the options' size.
        """
        chosen = self._held_out[:most]
        row = 0 if tenth is None else tenth + 1
        within = uniforms(self._options.seed, [0], row, len(chosen), Purpose.HOLDOUT_TIMESTEP)[0]
        turns = (np.arange(len(chosen)) + within) / len(chosen)
        turns = self._spread(turns) if tenth is None else (tenth + turns) / TENTHS
        t = torch.from_numpy((turns * self._num_timesteps).astype(np.int64))
        for first in range(0, len(chosen), self._options.batch_size):
            part = slice(first, min(first + self._options.batch_size, len(chosen)))
            faces = self._take(chosen[part])
            indices = range(part.start, part.stop)
            purpose = Purpose.HOLDOUT_NOISE
            eps = noise(self._options.seed, indices, row, faces.shape[1:], purpose)
            yield Batch(_to_unit_range(faces), t[part], eps.to(self._device), chosen[part])

    def _spread(self, turns: NDArray[np.float64]) -> NDArray[np.float64]:
        """Shares of T, 0 … 1, for as many even ones: how often each timestep is trained."""
        return turns

    def _take(self, indices: NDArray[np.int64]) -> Tensor:
        return self._faces[torch.from_numpy(indices).to(self._device)][:, None]


def stratified_timesteps(seed: int, step: int, batch_size: int, num_timesteps: int) -> Tensor:
    """One timestep from each of `batch_size` equal parts of 0 … T − 1, in order: int64 (B,).

    Each timestep is as likely as any other; where a part ends within a timestep, both neighbours
    draw it.
    """
    within = uniforms(seed, [0], step, batch_size, Purpose.TRAINING_TIMESTEP)[0]
    t = (np.arange(batch_size) + within) * (num_timesteps / batch_size)
    return torch.from_numpy(t.astype(np.int64))


def _permutation(seed: int, count: int, epoch: int, purpose: Purpose) -> NDArray[np.int64]:
    keys = uniforms(seed, range(count), epoch, 1, purpose)[:, 0]
    return np.argsort(keys, kind="stable")


def _to_unit_range(faces: Tensor) -> Tensor:
    return faces.float() / 127.5 - 1
