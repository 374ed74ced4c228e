"""The kind `train_ddpm`: one shard, which trains a noise predictor from start to end."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from jobs.kinds.kind import Kind, Part
from jobs.kinds.references import (
    checkpoint_reference,
    dataset_reference,
    invalid,
    require_noise_predictor,
)
from jobs.kinds.training import (
    check_batch,
    decide_limit_and_seed,
    total_of_limit,
    unit_of_limit,
)
from jobs.requests import DEFAULT_IMAGES, TrainDdpmParams
from jobs.tables import Job, Shard
from jobs.works import AnyWork, TrainDdpmWork

DEFAULT_WIDTH = 32


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
        check_batch(session, params, params.holdout_fraction)
        return params.model_copy(update=decided | decide_limit_and_seed(params, DEFAULT_IMAGES))

    def unit(self, params: TrainDdpmParams) -> str:
        """That of the limit."""
        return unit_of_limit(params)

    def split(self, params: TrainDdpmParams, shard_images: int) -> Sequence[Part]:
        """One shard: training is one long walk."""
        return [Part("train_ddpm", total_of_limit(params))]

    def work(self, session: Session, job: Job, shard: Shard, params: TrainDdpmParams) -> AnyWork:
        """The whole training."""
        initial = None
        if params.initial is not None:
            initial = checkpoint_reference(session, params.initial)
        dataset = dataset_reference(session, params.dataset, params)
        return TrainDdpmWork(params=params, dataset=dataset, initial=initial)
