"""Faces of one checkpoint by many samplers, kept on disk as they come."""

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from diffusion import (
    Checkpoint,
    Sampler,
    SampleStep,
    Timesteps,
    load_checkpoint,
    plan,
    predictor,
    sample,
    start_noise,
)
from formats.checkpoint import sha256_of
from formats.faces import from_unit_range

Faces = NDArray[np.uint8]


@dataclass(frozen=True)
class Row:
    """One way to sample."""

    sampler: Sampler
    steps: int
    timesteps: Timesteps
    prior: Literal["standard", "data"]

    @property
    def name(self) -> str:
        return f"{self.sampler}-{self.steps}-{self.timesteps}-{self.prior}"


ROWS = {
    row.name: row
    for sampler, steps, timesteps in [
        ("ddpm", 1000, "logsnr"),
        ("ddim", 50, "logsnr"),
        ("ddim", 50, "trailing"),
        ("ddim", 20, "logsnr"),
        ("ddim", 20, "trailing"),
        ("dpmpp_2m", 20, "logsnr"),
        ("dpmpp_2m", 20, "trailing"),
    ]
    for prior in ("standard", "data")
    for row in [Row(sampler, steps, timesteps, prior)]  # type: ignore[arg-type]  # words of the table
}


class Sampled(NamedTuple):
    """Faces, and what one took in seconds: of the processor, or on a GPU of the clock."""

    faces: Faces
    seconds_per_face: float


class RowSampler:
    """Samples rows of a checkpoint into a folder; what is there already is not sampled again.

    An image depends on the seed and its index alone, so that a row can be broken off and gone on
    with, and rows can be sampled by processes of their own.
    """

    def __init__(
        self, path: Path, folder: Path, *, seed: int, batch: int, device: str, dtype: torch.dtype
    ) -> None:
        self._checkpoint: Checkpoint = load_checkpoint(path)
        self._device = device
        self._predict = predictor(self._checkpoint.model, device, dtype)
        self._seed, self._batch = seed, batch
        self._clock = time.process_time if device == "cpu" else time.perf_counter
        kind = str(dtype).removeprefix("torch.")
        self._folder = folder / f"{sha256_of(path)[:12]}-seed-{seed}-{kind}-{device}"

    def sample(self, row: Row, count: int) -> Sampled:
        """`count` faces of a row, out of the folder or new."""
        folder = self._folder / row.name
        folder.mkdir(parents=True, exist_ok=True)
        parts = list(_parts(folder))
        done = sum(len(faces) for faces, _ in parts)
        while done < count:
            began = self._clock()
            indices = range(done, min(done + self._batch, count))
            faces = self._sample(row, indices)
            seconds = self._clock() - began
            temporary = folder / f".{done:07}.{os.getpid()}.npz"
            np.savez(temporary, faces=faces, seconds=seconds)
            temporary.replace(folder / f"{done:07}.npz")
            parts.append((faces, seconds))
            done += len(faces)
            print(f"{row.name}: {done} of {count}, {seconds / len(faces):.2f} s a face", flush=True)
        faces = np.concatenate([faces for faces, _ in parts])
        return Sampled(faces[:count], sum(seconds for _, seconds in parts) / len(faces))

    def _sample(self, row: Row, indices: Sequence[int]) -> Faces:
        prior = self._checkpoint.prior if row.prior == "data" else None
        if row.prior == "data" and prior is None:
            raise ValueError("the checkpoint has no data prior; choose other --rows")
        z = start_noise(prior, self._checkpoint.betas, self._seed, indices).to(self._device)
        steps = plan(row.sampler, self._checkpoint.betas, row.steps, timesteps=row.timesteps)
        *_, last = sample(self._predict, steps, self._seed, indices, start=SampleStep(0, z))
        return from_unit_range(last.z[:, 0].cpu().numpy())


def _parts(folder: Path) -> Iterator[tuple[Faces, float]]:
    for path in sorted(folder.glob("[0-9]*.npz")):
        with np.load(path) as part:
            yield part["faces"], float(part["seconds"])
