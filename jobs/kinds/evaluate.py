"""The kind `evaluate`: one shard, which measures a job's images or a checkpoint."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from jobs import store
from jobs.contract import ArtifactRole, JobStatus
from jobs.kinds.kind import Kind, Part
from jobs.kinds.references import (
    checkpoint_reference,
    dataset_reference,
    face_count,
    invalid,
    require_noise_predictor,
)
from jobs.requests import EvaluateParams
from jobs.tables import Artifact, Job, Shard
from jobs.works import AnyWork, EvaluatedJob, EvaluateWork, FileReference

MIN_IMAGES = 100  # of a job that is evaluated: fewer say nothing of a distribution
PERCENT = 100


class EvaluateKind(Kind[EvaluateParams]):
    """Figures of a job's images, or of a checkpoint."""

    params = EvaluateParams

    def prepare(self, session: Session, params: EvaluateParams) -> EvaluateParams:
        """Check that there is something to evaluate, and enough to compare it with."""
        available = face_count(session, params)
        if available < 2 * MIN_IMAGES:
            must = f"a dataset of at least {2 * MIN_IMAGES} faces; it holds {available}"
            raise invalid("dataset", params.dataset, must)
        if params.checkpoint is not None:
            require_noise_predictor(session, params.checkpoint, "checkpoint")
        if params.job is not None:
            _check_job(session, params.job)
        return params

    def unit(self, params: EvaluateParams) -> str:
        """Hundredths of the whole."""
        return "percent"

    def split(self, params: EvaluateParams, shard_images: int) -> Sequence[Part]:
        """One shard."""
        return [Part("evaluate", PERCENT)]

    def work(self, session: Session, job: Job, shard: Shard, params: EvaluateParams) -> AnyWork:
        """What to evaluate, and the dataset beside it."""
        evaluated = checkpoint = None
        if params.job is not None:
            artifact = _images_of(session, params.job)
            if artifact is None:
                raise LookupError(f"the images of job {params.job} are gone")
            images = FileReference(path=artifact.path, sha256=artifact.sha256)
            evaluated = EvaluatedJob(kind="sample", images=images)
        if params.checkpoint is not None:
            checkpoint = checkpoint_reference(session, params.checkpoint)
        return EvaluateWork(
            params=params,
            dataset=dataset_reference(session, params.dataset, params),
            job=evaluated,
            checkpoint=checkpoint,
        )


def _check_job(session: Session, job_id: str) -> None:
    job = store.find_job(session, job_id)
    if job is None:
        raise invalid("job", job_id, "the id of a job that there is")
    if job.status != JobStatus.SUCCEEDED:
        raise invalid("job", job_id, f"a job that succeeded; this one is {job.status}")
    images = _images_of(session, job_id)
    if images is None:
        raise invalid("job", job_id, f"a job that made images; this one is a {job.kind}")
    if images.shape[0] < MIN_IMAGES:
        must = f"a job of at least {MIN_IMAGES} images; this one made {images.shape[0]}"
        raise invalid("job", job_id, must)


def _images_of(session: Session, job_id: str) -> Artifact | None:
    for artifact, shard in store.artifacts_of(session, job_id):
        if shard.kind == "assemble" and artifact.role == ArtifactRole.IMAGES:
            return artifact
    return None
