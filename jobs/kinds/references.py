"""Checkpoints and datasets that parameters name: looked up, or refused with the field's name."""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy.orm import Session

from formats.age_regressor import SQUARED_ERRORS
from formats.description import CheckpointDescription
from jobs import store
from jobs.contract import ArtifactRole
from jobs.errors import (
    CheckpointNotFoundError,
    DatasetNotFoundError,
    JobNotFoundError,
    ValidationError,
)
from jobs.requests import (
    OLDEST_AGE,
    SYNTHETIC,
    TIMESTEPS,
    CheckpointReference,
    DatasetParams,
    JobReference,
)
from jobs.tables import Artifact, Checkpoint, Dataset, Job, Shard
from jobs.works import DatasetReference, FileReference, StoredDataset, SyntheticDataset

RANDOM_SEED_LIMIT = 2**53  # every JSON reader keeps such an integer whole
NOISE_PREDICTOR = "unet"  # the architecture that predicts noise
REGRESSOR = "age_regressor"  # the one that tells the age of noised faces
JUDGE = "age_judge"  # the one that tells the age of clean faces
MIN_AGED = 100  # faces with an age, to train a regressor on
NETWORK_WORDS: Mapping[str, str] = {
    NOISE_PREDICTOR: "a noise predictor",
    REGRESSOR: "an age regressor",
    JUDGE: "a judge of ages",
}
TRAINED_BY: Mapping[str, str] = {NOISE_PREDICTOR: "train_ddpm", REGRESSOR: "train_regressor"}


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


Schedule = tuple[int, float, float]  # T, first and last beta
COURSE_SCHEDULE: Schedule = (  # of every noise predictor that is trained anew
    CheckpointDescription.timesteps,
    CheckpointDescription.beta_start,
    CheckpointDescription.beta_end,
)


@dataclass(frozen=True)
class NetworkFacts:
    """What is known of a network before it is there: a job may still be training it.

    Attributes:
        name: for messages.
        width: channels at full resolution.
        timesteps: T of its noise schedule.
        has_prior: whether mean and principal components of its data travel with it.
        schedule: T, first and last beta of its noise schedule, where they are known.
        is_measured: whether its error at each timestep is known, or will be.
    """

    name: str
    width: int
    timesteps: int
    has_prior: bool
    schedule: Schedule | None
    is_measured: bool


def require_noise_predictor(
    session: Session, named: CheckpointReference, field: str
) -> NetworkFacts:
    """What is known of the noise predictor that a parameter names.

    Raises:
        CheckpointNotFoundError: there is no such checkpoint.
        JobNotFoundError: there is no such job.
        ValidationError: it is no noise predictor, or the job makes none.
    """
    return _require(session, named, field, NOISE_PREDICTOR)


def require_regressor(session: Session, named: CheckpointReference, field: str) -> NetworkFacts:
    """What is known of the age regressor that a parameter names; errors as of the other."""
    return _require(session, named, field, REGRESSOR)


def require_schedule(
    network: NetworkFacts, regressor: NetworkFacts, field: str, named: CheckpointReference
) -> None:
    """Check that a regressor knows the noise schedule of a noise predictor.

    Raises:
        ValidationError: of `field`; both are known, and differ.
    """
    if None in (regressor.schedule, network.schedule) or regressor.schedule == network.schedule:
        return
    must = (
        f"a regressor of the noise schedule of {network.name}, {network.schedule} (T, first "
        f"and last beta); {regressor.name} was trained on {regressor.schedule}"
    )
    raise invalid(field, named, must)


def _require(
    session: Session, named: CheckpointReference, field: str, architecture: str
) -> NetworkFacts:
    if isinstance(named, JobReference):
        return _promised(session, named.job, field, architecture)
    checkpoint = store.find_checkpoint(session, named)
    if checkpoint is None:
        raise CheckpointNotFoundError(
            f"params.{field}: there is no checkpoint {named!r}; GET /api/v1/checkpoints lists them",
            field=f"params.{field}",
            value=named,
        )
    if checkpoint.architecture != architecture:
        must = f"{NETWORK_WORDS[architecture]}; this one is {_word(checkpoint.architecture)}"
        raise invalid(field, named, must)
    description = checkpoint.description
    return NetworkFacts(
        f"checkpoint {checkpoint.id}",
        checkpoint.width,
        description["timesteps"],
        bool(description.get("prior_components")),
        _schedule_of(checkpoint),
        SQUARED_ERRORS in description["metrics"],
    )


def _promised(session: Session, job_id: str, field: str, architecture: str) -> NetworkFacts:
    """What the job that trains it will make; whether it can be waited for is checked elsewhere."""
    job = store.find_job(session, job_id)
    if job is None:
        raise JobNotFoundError(
            f"params.{field}: there is no job {job_id!r}", field=f"params.{field}", value=job_id
        )
    if job.kind != TRAINED_BY[architecture]:
        must = f"a job of kind {TRAINED_BY[architecture]}; this one is a {job.kind}"
        raise invalid(field, job_id, must)
    has_prior = architecture == NOISE_PREDICTOR
    schedule = _promised_schedule(session, job)
    timesteps = TIMESTEPS if schedule is None else schedule[0]
    return NetworkFacts(
        f"job {job_id}", job.params["width"], timesteps, has_prior, schedule, is_measured=True
    )


def _promised_schedule(session: Session, job: Job) -> Schedule | None:
    """That of what the training starts from, or is for; None where that is gone."""
    source = job.params.get("initial") or job.params.get("checkpoint")
    if source is None:
        return COURSE_SCHEDULE
    if isinstance(source, str):
        checkpoint = store.find_checkpoint(session, source)
        return None if checkpoint is None else _schedule_of(checkpoint)
    training = store.find_job(session, source["job"])
    return None if training is None else _promised_schedule(session, training)


def _schedule_of(checkpoint: Checkpoint) -> Schedule:
    description = checkpoint.description
    return description["timesteps"], description["beta_start"], description["beta_end"]


def _word(architecture: str) -> str:
    return NETWORK_WORDS.get(architecture, f"a {architecture}")


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


def require_ages(session: Session, params: DatasetParams, field: str = "dataset") -> None:
    """Check that an age regressor can be trained on the parameters' dataset.

    Raises:
        DatasetNotFoundError: there is no such dataset.
        ValidationError: too few of its faces have an age.
    """
    dataset = require_dataset(session, params.dataset, field)
    if dataset is None or (aged := dataset.figures["aged_count"]) >= MIN_AGED:
        return
    lacking = f"{aged} of its {dataset.count} faces have one"
    if dataset.ages_path is None:
        lacking = "it has no ages"
    elif dataset.figures["missing_ages"] == dataset.count:
        lacking = "all its ages are missing"
    must = f"a dataset with at least {MIN_AGED} ages of 0 to {OLDEST_AGE} years; {lacking}"
    raise invalid(field, params.dataset, must)


def require_checkpoint_row(session: Session, named: CheckpointReference) -> Checkpoint:
    """The checkpoint of this id, or the one that this job has made.

    Raises:
        LookupError: it is gone.
    """
    checkpoint = None
    if not isinstance(named, JobReference):
        checkpoint = store.find_checkpoint(session, named)
    else:
        for artifact, _ in store.artifacts_of(session, named.job):
            if artifact.role == ArtifactRole.CHECKPOINT:
                checkpoint = store.find_checkpoint(session, artifact.sha256[:16])
    if checkpoint is None:
        raise LookupError(f"checkpoint {named!r} is gone")
    return checkpoint


def checkpoint_reference(session: Session, named: CheckpointReference) -> FileReference:
    """Where a worker finds this checkpoint."""
    checkpoint = require_checkpoint_row(session, named)
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


def upload_reference(session: Session, upload_id: str) -> FileReference:
    """Where a worker finds this uploaded picture.

    Raises:
        LookupError: it is gone.
    """
    upload = store.find_upload(session, upload_id)
    if upload is None:
        raise LookupError(f"upload {upload_id!r} is gone")
    return FileReference(path=upload.path, sha256=upload.sha256)


def image_pieces(session: Session, assembling: Shard) -> list[Artifact]:
    """The images of the shards that this one assembles, in order."""
    return [
        artifact
        for artifact, piece in store.artifacts_of(session, assembling.job_id)
        if piece.index < assembling.index and artifact.role == ArtifactRole.IMAGES
    ]


def made_with(pieces: Iterable[Artifact]) -> dict[str, str]:
    """SHA-256 of the checkpoints that pieces were made with, by field, as their workers said."""
    checkpoints: dict[str, str] = {}
    for piece in pieces:
        checkpoints |= piece.checkpoints or {}
    return checkpoints
