"""Run a `train_regressor` shard: the core's steps, then how far off it is at each t."""

import logging
from typing import Any

from diffusion.aged_faces import FacesWithAges
from diffusion.errors import NoAgesError
from diffusion.regressor_description import describe_regressor
from diffusion.regressor_training import RegressorTraining, StartNetwork
from diffusion.training_options import RegressorOptions, TrainingLimit
from formats.description import CheckpointDescription
from jobs.artifacts import ArtifactStore
from jobs.requests import TrainRegressorParams
from jobs.works import TrainRegressorWork
from worker.engine.checkpoint_files import checkpoint_file
from worker.engine.datasets import Datasets
from worker.engine.device import Device
from worker.engine.long_steps import spoken_for
from worker.engine.made_files import metrics_file
from worker.engine.shard import MadeFile, ShardRun
from worker.engine.stored_files import read_checkpoint, read_regressor
from worker.engine.training_walk import TrainingWalk

log = logging.getLogger(__name__)


class TrainRegressorRunner:
    """Trains age regressors."""

    def __init__(self, artifacts: ArtifactStore, device: Device, datasets: Datasets) -> None:
        """Train on `device`, with faces of `datasets`, for noise predictors out of `artifacts`."""
        self._artifacts = artifacts
        self._device = device
        self._datasets = datasets

    def run(self, shard: ShardRun, work: TrainRegressorWork) -> list[MadeFile]:
        """Train to the end, from the furthest saved state on.

        Raises:
            InterruptedShard: the consumer asked for it.
            TrainingDivergedError: the loss became NaN or infinite.
            NoAgesError: the faces have no ages.
            ArtifactStoreError: faces or start network cannot be read.
            FormatError: one of them is none.
        """
        with spoken_for(shard):
            return self._train(shard, work)

    def _train(self, shard: ShardRun, work: TrainRegressorWork) -> list[MadeFile]:
        dataset = self._datasets.load(shard, work.dataset)
        if dataset.ages is None:
            raise NoAgesError(f"dataset {dataset.name} has no ages; a regressor learns from them")
        start = self._start_network(work)
        params = work.params
        training = RegressorTraining(
            FacesWithAges(dataset.faces, dataset.ages),
            regressor_options(params),
            TrainingLimit(params.steps, params.images, params.minutes),
            predictor=start,
            device=self._device.device,
            dtype=None if self._device.is_dtype_free else self._device.dtype,
        )
        log.info(
            "%d faces without an age and %d with a wrong one are left out; %d are trained on, "
            "%d held out",
            training.faces.missing,
            training.faces.wrong,
            training.faces.trained_on,
            training.faces.held_out,
        )
        walk = TrainingWalk(shard, training)
        walk.go_on()
        walk.tell()
        shard.say_working()
        held_out = []
        for errors in training.held_out_errors():
            held_out.append(errors)
            shard.between_steps()
        described = describe_regressor(training, start, dataset.name, held_out)
        return [
            checkpoint_file(f"age-regressor-{params.width}", training.best, described),
            metrics_file(_metrics(training, described)),
        ]

    def _start_network(self, work: TrainRegressorWork) -> StartNetwork:
        if work.initial is not None:
            return read_regressor(self._artifacts, work.initial)
        return read_checkpoint(self._artifacts, work.checkpoint)


def _metrics(training: RegressorTraining, described: CheckpointDescription) -> dict[str, Any]:
    return {
        "steps": training.step,
        "images_seen": training.images_seen,
        "seconds": described.training["seconds"],
        "images_per_second": described.training["images_per_second"],
        "ended_early": training.share < 1,
        **described.metrics,
    }


def regressor_options(params: TrainRegressorParams) -> RegressorOptions:
    """What these parameters ask of the core."""
    assert params.width is not None  # both decided when the job was submitted
    assert params.seed is not None
    return RegressorOptions(
        width=params.width,
        batch_size=params.batch_size,
        learning_rate=params.learning_rate,
        warmup_steps=params.warmup_steps,
        weight_decay=params.weight_decay,
        gradient_norm=params.gradient_norm,
        ema_decay=params.ema_decay,
        horizontal_flips=params.horizontal_flips,
        holdout_fraction=params.holdout_fraction,
        seed=params.seed,
        start=params.start,
        timestep_power=params.timestep_power,
        low_noise_share=params.low_noise_share,
        shifts=params.shifts,
        patience=params.patience,
    )
