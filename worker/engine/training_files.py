"""The files of a finished training: checkpoint, figures, and how its faces developed."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from diffusion import DataPrior, Training, save_checkpoint
from diffusion.checkpoints import PRIOR_TENSORS
from diffusion.training_description import describe_training
from formats.checkpoint_facts import checkpoint_facts
from formats.description import CheckpointDescription
from formats.faces import Faces
from formats.pictures import collage
from jobs.contract import ArtifactRole
from worker.engine.development import Development
from worker.engine.made_files import metrics_file, picture_file
from worker.engine.shard import MadeFile

SHEET_COLUMNS = 10


@dataclass(frozen=True, eq=False)
class Trained:
    """A training at its end.

    Attributes:
        training: all of it.
        development: its moments, the last one at the end.
        sheet: faces of the end, uint8 (n, 48, 48).
        prior: of the faces that it was trained on.
        by_tenth: held-out loss in each tenth of the timesteps.
    """

    training: Training
    development: Development
    sheet: Faces
    prior: DataPrior
    by_tenth: Sequence[float]


def training_files(made_by: Mapping[str, Any], dataset: str, trained: Trained) -> list[MadeFile]:
    """Checkpoint, metrics, development and sheet of this training, with its provenance."""
    training = trained.training
    description = describe_training(training, dataset, trained.prior, by_tenth=trained.by_tenth)
    figure = partial(picture_file, ArtifactRole.FIGURE)
    moments = trained.development.moments
    rows = np.concatenate([moment.faces for moment in moments])
    images_seen = [moment.images_seen for moment in moments]
    metrics = {
        "steps": training.step,
        "images_seen": training.images_seen,
        "seconds": description.training["seconds"],
        "images_per_second": description.training["images_per_second"],
        **description.metrics,
        "curves": training.curves(),
        "development": {"images_seen": images_seen},
    }
    development = collage(rows, len(moments[0].faces))
    return [
        _checkpoint_file(trained, description),
        metrics_file(metrics),
        figure("development.png", development, {**made_by, "images_seen": images_seen}),
        figure("sheet.png", collage(trained.sheet, SHEET_COLUMNS), made_by),
    ]


def _checkpoint_file(trained: Trained, description: CheckpointDescription) -> MadeFile:
    """The averaged weights: in float16, of which no picture shows a trace, where they fit."""
    network = trained.training.averaged
    largest = max(float(weight.abs().max()) for weight in network.parameters())
    dtype = torch.float16 if largest < torch.finfo(torch.float16).max else torch.float32
    with tempfile.TemporaryDirectory(prefix="darkroom-training-") as folder:
        path = Path(folder) / f"noise-predictor-{network.width}.safetensors"
        save_checkpoint(path, network, description, prior=trained.prior, dtype=dtype)
        content = path.read_bytes()
    tensors = {name: getattr(trained.prior, field) for field, name in PRIOR_TENSORS.items()}
    return MadeFile(
        role=ArtifactRole.CHECKPOINT,
        name=path.name,
        content=content,
        shape=(),
        media_type="application/octet-stream",
        details=checkpoint_facts(description, tensors),
    )
