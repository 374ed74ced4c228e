"""Run a `train_ddpm` shard: the core's steps, with saving, sheets and interrupts between them."""

from collections.abc import Callable

from diffusion import DataPrior, Training, TrainingOptions
from diffusion.training_data import TENTHS
from diffusion.training_options import TrainingLimit
from formats.faces import Faces
from formats.pictures import collage, encode_png
from jobs.artifacts import ArtifactStore
from jobs.provenance import order_provenance
from jobs.requests import TrainDdpmParams
from jobs.works import TrainDdpmWork
from worker.engine.datasets import Datasets
from worker.engine.development import DEVELOPED_FACES, SHEET_FACES, Development, sample_faces
from worker.engine.device import Device
from worker.engine.long_steps import spoken_for
from worker.engine.shard import MadeFile, ShardRun
from worker.engine.stored_files import read_checkpoint
from worker.engine.training_files import Trained, training_files
from worker.engine.training_state import Arrays
from worker.engine.training_walk import TrainingWalk

PREVIEW_COLUMNS = 6


class TrainRunner:
    """Trains noise predictors."""

    def __init__(self, artifacts: ArtifactStore, device: Device, datasets: Datasets) -> None:
        """Train on `device`, with faces of `datasets`, from checkpoints out of `artifacts`."""
        self._artifacts = artifacts
        self._device = device
        self._datasets = datasets

    def run(self, shard: ShardRun, work: TrainDdpmWork) -> list[MadeFile]:
        """Train to the limit, from the furthest saved state on.

        Raises:
            InterruptedShard: the consumer asked for it.
            TrainingDivergedError: the loss became NaN or infinite.
            NonFiniteSampleError: the trained network gives no numbers.
            ArtifactStoreError: faces or initial checkpoint cannot be read.
            FormatError: one of them is none.
        """
        dataset = self._datasets.load(shard, work.dataset)
        params = work.params
        initial = None
        if work.initial is not None:
            initial = read_checkpoint(self._artifacts, work.initial)
        training = Training(
            dataset.faces,
            training_options(params),
            TrainingLimit(params.steps, params.images, params.minutes),
            initial=initial,
            device=self._device.device,
            dtype=None if self._device.is_dtype_free else self._device.dtype,
        )
        walk = _Walk(shard, training, lambda: self._datasets.prior(shard, work.dataset))
        with spoken_for(shard):
            walk.go_on()
            return training_files(order_provenance(shard.order), dataset.name, walk.finish())


class _Walk(TrainingWalk):
    """One attempt's way through a training of a noise predictor."""

    def __init__(
        self,
        shard: ShardRun,
        training: Training,
        fit_prior: Callable[[], DataPrior],
    ) -> None:
        super().__init__(shard, training)
        self._training = training
        self._fit_prior = fit_prior  # takes half a minute, and is not needed at once
        self._development = Development()

    def _begin(self) -> None:
        if self._development.moments:
            self._show(self._development.moments[-1].faces)

    def _before_step(self) -> None:
        if self._development.is_due(self._training.share):
            faces = self._sample(DEVELOPED_FACES)
            self._keep(faces, self._development)
            self._show(faces)

    def _more(self) -> Arrays:
        return self._development.to_arrays()

    def _take_more(self, arrays: Arrays) -> None:
        self._development.take_arrays(arrays)

    def finish(self) -> Trained:
        """Measure and show what was trained."""
        self.tell()
        self._shard.say_working()
        by_tenth = []
        for tenth in range(TENTHS):
            by_tenth.append(self._training.held_out_loss(tenth))
            self._shard.between_steps()
        sheet = self._sample(SHEET_FACES)
        self._show(sheet)
        # A copy: what is saved from here on must not hold the end already.
        development = Development([*self._development.moments])
        self._keep(sheet[:DEVELOPED_FACES], development)
        return Trained(self._training, development, sheet, self._fit_prior(), by_tenth)

    def _sample(self, count: int) -> Faces:
        prior = self._fit_prior()
        return sample_faces(self._training, prior, count, self._shard.between_steps)

    def _keep(self, faces: Faces, development: Development) -> None:
        development.add(self._training.share, self._training.images_seen, faces)

    def _show(self, faces: Faces) -> None:
        self._shard.say_preview(encode_png(collage(faces, PREVIEW_COLUMNS)))


def training_options(params: TrainDdpmParams) -> TrainingOptions:
    """What these parameters ask of the core."""
    assert params.width is not None  # both decided when the job was submitted
    assert params.seed is not None
    return TrainingOptions(
        width=params.width,
        batch_size=params.batch_size,
        learning_rate=params.learning_rate,
        warmup_steps=params.warmup_steps,
        gradient_norm=params.gradient_norm,
        ema_decay=params.ema_decay,
        horizontal_flips=params.horizontal_flips,
        holdout_fraction=params.holdout_fraction,
        seed=params.seed,
    )
