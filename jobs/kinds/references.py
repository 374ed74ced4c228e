"""Checkpoints and datasets that parameters name: looked up, or refused with the field's name."""

import secrets

from sqlalchemy.orm import Session

from jobs import store
from jobs.errors import CheckpointNotFoundError, DatasetNotFoundError, ValidationError
from jobs.messages import DatasetReference, FileReference, StoredDataset, SyntheticDataset
from jobs.requests import SYNTHETIC, DatasetParams
from jobs.tables import Checkpoint, Dataset

RANDOM_SEED_LIMIT = 2**53  # every JSON reader keeps such an integer whole
NOISE_PREDICTOR = "unet"  # the architecture that predicts noise


def random_seed() -> int:
    """A seed for a job that names none."""
    return secrets.randbelow(RANDOM_SEED_LIMIT)


def invalid(field: str, value: object, must: str) -> ValidationError:
    """The error of a parameter that does not fit what it names."""
    return ValidationError(
        f"params.{field}: must be {must}, not {value}",
        field=f"params.{field}",
        value=value,
        allowed=must,
    )


def require_noise_predictor(session: Session, checkpoint_id: str, field: str) -> Checkpoint:
    """The noise predictor of this id.

    Raises:
        CheckpointNotFoundError: there is no such checkpoint.
        ValidationError: it is none.
    """
    checkpoint = store.find_checkpoint(session, checkpoint_id)
    if checkpoint is None:
        raise CheckpointNotFoundError(
            f"params.{field}: there is no checkpoint {checkpoint_id!r}; "
            "GET /api/v1/checkpoints lists them",
            field=f"params.{field}",
            value=checkpoint_id,
        )
    if checkpoint.architecture != NOISE_PREDICTOR:
        raise invalid(
            field, checkpoint_id, f"a noise predictor; this one is a {checkpoint.architecture}"
        )
    return checkpoint


def require_dataset(session: Session, dataset_id: str, field: str = "dataset") -> Dataset | None:
    """The dataset of this id; None for the synthetic one, which is not kept.

    Raises:
        DatasetNotFoundError: there is no such dataset.
    """
    if dataset_id == SYNTHETIC:
        return None
    dataset = store.find_dataset(session, dataset_id)
    if dataset is None:
        raise DatasetNotFoundError(
            f"params.{field}: there is no dataset {dataset_id!r}; GET /api/v1/datasets lists them",
            field=f"params.{field}",
            value=dataset_id,
        )
    return dataset


def face_count(session: Session, params: DatasetParams) -> int:
    """How many faces the parameters' dataset holds."""
    dataset = require_dataset(session, params.dataset)
    return params.synthetic_count if dataset is None else dataset.count


def checkpoint_reference(session: Session, checkpoint_id: str) -> FileReference:
    """Where a worker finds this checkpoint."""
    checkpoint = store.find_checkpoint(session, checkpoint_id)
    if checkpoint is None:
        raise LookupError(f"checkpoint {checkpoint_id!r} is gone")
    return FileReference(path=checkpoint.path, sha256=checkpoint.sha256)


def dataset_reference(
    session: Session, dataset_id: str, params: DatasetParams | None = None
) -> DatasetReference:
    """Where a worker finds this dataset, or how it renders it."""
    if dataset_id == SYNTHETIC:
        rendered = params or DatasetParams()
        return SyntheticDataset(count=rendered.synthetic_count, seed=rendered.synthetic_seed)
    dataset = store.find_dataset(session, dataset_id)
    if dataset is None:
        raise LookupError(f"dataset {dataset_id!r} is gone")
    ages = None
    if dataset.ages_path is not None and dataset.ages_sha256 is not None:
        ages = FileReference(path=dataset.ages_path, sha256=dataset.ages_sha256)
    faces = FileReference(path=dataset.faces_path, sha256=dataset.faces_sha256)
    return StoredDataset(name=dataset.name, faces=faces, ages=ages)
