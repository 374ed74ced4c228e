"""The kind `train_ddpm`: one shard, which trains a noise predictor from start to end."""

from collections.abc import Sequence
from math import ceil

from sqlalchemy.orm import Session

from jobs.kinds.kind import Kind, Part
from jobs.kinds.references import (
    checkpoint_reference,
    dataset_reference,
    face_count,
    invalid,
    random_seed,
    require_noise_predictor,
)
from jobs.requests import DEFAULT_IMAGES, LIMITS, TrainDdpmParams
from jobs.tables import Job, Shard
from jobs.works import AnyWork, TrainDdpmWork

DEFAULT_WIDTH = 32
SECONDS_PER_MINUTE = 60


class TrainDdpmKind(Kind[TrainDdpmParams]):
    """A noise predictor, trained on a dataset."""

    params = TrainDdpmParams
    trains = True

    def prepare(self, session: Session, params: TrainDdpmParams) -> TrainDdpmParams:
        """Check that the faces fill a batch; decide width, limit and seed."""
        decided: dict[str, object] = {"width": params.width or DEFAULT_WIDTH}
        if params.initial is not None:
            initial = require_noise_predictor(session, params.initial, "initial")
            if params.width not in (None, initial.width):
                must = f"{initial.width}, the width of {initial.name}, or absent"
                raise invalid("width", params.width, must)
            decided["width"] = initial.width
        kept = face_count(session, params)
        kept -= ceil(kept * params.holdout_fraction)
        if params.batch_size > kept:
            must = f"at most {kept}, the faces to train on in dataset {params.dataset}"
            raise invalid("batch_size", params.batch_size, must)
        if all(getattr(params, name) is None for name in LIMITS):
            decided["images"] = DEFAULT_IMAGES
        if params.seed is None:
            decided["seed"] = random_seed()
        return params.model_copy(update=decided)

    def unit(self, params: TrainDdpmParams) -> str:
        """That of the limit."""
        if params.steps is not None:
            return "steps"
        return "seconds" if params.minutes is not None else "images"

    def split(self, params: TrainDdpmParams, shard_images: int) -> Sequence[Part]:
        """One shard: training is one long walk."""
        seconds = params.minutes and ceil(params.minutes * SECONDS_PER_MINUTE)
        total = params.steps or seconds or params.images or DEFAULT_IMAGES
        return [Part("train_ddpm", total)]

    def work(self, session: Session, job: Job, shard: Shard, params: TrainDdpmParams) -> AnyWork:
        """The whole training."""
        initial = None
        if params.initial is not None:
            initial = checkpoint_reference(session, params.initial)
        dataset = dataset_reference(session, params.dataset, params)
        return TrainDdpmWork(params=params, dataset=dataset, initial=initial)
