"""What the kinds that train have in common: their limit, their batch and their seed."""

from math import ceil

from sqlalchemy.orm import Session

from jobs.kinds.references import face_count, invalid, random_seed
from jobs.requests import LIMITS, TrainingParams

SECONDS_PER_MINUTE = 60


def check_batch(session: Session, params: TrainingParams, holdout_fraction: float) -> None:
    """Check that the faces which are not held out fill a batch.

    Raises:
        ValidationError: they do not.
    """
    kept = face_count(session, params)
    kept -= ceil(kept * holdout_fraction)
    if params.batch_size > kept:
        must = f"at most {kept}, the faces to train on in dataset {params.dataset}"
        raise invalid("batch_size", params.batch_size, must)


def decide_limit_and_seed(params: TrainingParams, default_images: int) -> dict[str, object]:
    """What a training is given where its request leaves it open."""
    decided: dict[str, object] = {}
    if all(getattr(params, name) is None for name in LIMITS):
        decided["images"] = default_images
    if params.seed is None:
        decided["seed"] = random_seed()
    return decided


def unit_of_limit(params: TrainingParams) -> str:
    """What the progress of a training counts."""
    if params.steps is not None:
        return "steps"
    return "seconds" if params.minutes is not None else "images"


def total_of_limit(params: TrainingParams) -> int:
    """How much a training does, in that unit."""
    seconds = params.minutes and ceil(params.minutes * SECONDS_PER_MINUTE)
    total = params.steps or seconds or params.images
    assert total is not None  # decided when the job was submitted
    return total
