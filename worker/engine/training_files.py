"""The files of a finished training: checkpoint, figures, and how its faces developed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from diffusion import DataPrior, Training
from diffusion.training_description import describe_training
from formats.faces import Faces
from formats.pictures import collage
from jobs.contract import ArtifactRole
from worker.engine.checkpoint_files import checkpoint_file
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
        checkpoint_file(
            f"noise-predictor-{training.options.width}",
            training.averaged,
            description,
            trained.prior,
        ),
        metrics_file(metrics),
        figure("development.png", development, {**made_by, "images_seen": images_seen}),
        figure("sheet.png", collage(trained.sheet, SHEET_COLUMNS), made_by),
    ]
