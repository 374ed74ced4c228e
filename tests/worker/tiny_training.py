"""Trainings of a tiny network on few faces, and how they are broken off."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from diffusion import Checkpoint, load_checkpoint
from jobs.messages import ShardOrder
from jobs.requests import TrainDdpmParams
from jobs.works import FileReference, SyntheticDataset, TrainDdpmWork
from worker.engine.shard import MadeFile
from worker.protocol import Interrupt

FACES = 64
STEPS = 16
TINY = {"width": 8, "batch_size": 4, "seed": 5, "warmup_steps": 5}
CHECKPOINT = "noise-predictor-8.safetensors"
Files = dict[str, MadeFile]


def train_order(attempt: int = 1, initial: FileReference | None = None, **params) -> ShardOrder:
    limit = {} if {"minutes", "images"} & params.keys() else {"steps": STEPS}
    work = TrainDdpmWork(
        params=TrainDdpmParams(**(TINY | limit | params)),
        dataset=SyntheticDataset(count=FACES, seed=1),
        initial=initial,
    )
    return ShardOrder(job_id="job", shard_id="job-0", attempt=attempt, work=work)


def read(file: MadeFile, folder: Path) -> Checkpoint:
    path = folder / file.name
    path.write_bytes(file.content)
    return load_checkpoint(path)


def curves_of(files: Files) -> dict[str, Any]:
    return dict(json.loads(files["metrics.json"].content)["curves"])


def after(count: int, interrupt: Interrupt) -> Callable[..., Interrupt | None]:
    """An interrupt at the count-th question."""
    questions = iter(range(1, count + 1))
    return lambda engine: None if next(questions, count) < count else interrupt
