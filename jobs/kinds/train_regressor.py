"""The kind `train_regressor`: one shard, which trains an age regressor from start to end."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from jobs.kinds.kind import Kind, Part
from jobs.kinds.references import (
    checkpoint_reference,
    dataset_reference,
    invalid,
    require_ages,
    require_noise_predictor,
    require_regressor,
    require_schedule,
)
from jobs.kinds.training import (
    check_batch,
    decide_limit_and_seed,
    total_of_limit,
    unit_of_limit,
)
from jobs.requests import DEFAULT_REGRESSOR_IMAGES, TrainRegressorParams
from jobs.tables import Job, Shard
from jobs.works import AnyWork, TrainRegressorWork


class TrainRegressorKind(Kind[TrainRegressorParams]):
    """An age regressor, trained on the noised faces of a dataset with ages."""

    params = TrainRegressorParams
    trains = True

    def prepare(self, session: Session, params: TrainRegressorParams) -> TrainRegressorParams:
        """Check the networks, ages and batch; decide width, limit and seed."""
        network = require_noise_predictor(session, params.checkpoint, "checkpoint")
        first = network
        if params.initial is not None:
            first = require_regressor(session, params.initial, "initial")
            require_schedule(network, first, "initial", params.initial)
        width = params.width or first.width
        if params.start == "checkpoint" and width != first.width:
            others = "" if params.initial else "; or start from scratch"
            must = (
                f"{first.width}, the width of {first.name} whose weights it starts from, or absent"
            )
            raise invalid("width", params.width, must + others)
        require_ages(session, params)
        check_batch(session, params, params.holdout_fraction)
        decided = decide_limit_and_seed(params, DEFAULT_REGRESSOR_IMAGES)
        return params.model_copy(update=decided | {"width": width})

    def unit(self, params: TrainRegressorParams) -> str:
        """That of the limit."""
        return unit_of_limit(params)

    def split(self, params: TrainRegressorParams, shard_images: int) -> Sequence[Part]:
        """One shard: training is one long walk."""
        return [Part("train_regressor", total_of_limit(params))]

    def work(
        self, session: Session, job: Job, shard: Shard, params: TrainRegressorParams
    ) -> AnyWork:
        """The whole training."""
        initial = None
        if params.initial is not None:
            initial = checkpoint_reference(session, params.initial)
        return TrainRegressorWork(
            params=params,
            dataset=dataset_reference(session, params.dataset, params),
            checkpoint=checkpoint_reference(session, params.checkpoint),
            initial=initial,
        )
