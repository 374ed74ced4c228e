"""The kind `evaluate`: one shard, which measures a job's images or a checkpoint."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from jobs import store
from jobs.contract import ArtifactRole
from jobs.kinds.kind import Kind, Part
from jobs.kinds.references import (
    checkpoint_reference,
    dataset_reference,
    face_count,
    invalid,
    require_noise_predictor,
    upload_reference,
)
from jobs.requests import BUNDLED_JUDGE, EvaluateParams, GuidedSampleParams, MergeParams
from jobs.tables import Job, Shard
from jobs.works import AnyWork, EvaluatedJob, EvaluateWork, FileReference

MIN_IMAGES = 100  # of a job of kind sample: fewer say nothing of a distribution
MAKES_IMAGES = ("sample", "guided_sample", "merge")
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
            evaluated = _evaluated(session, session.get_one(Job, params.job))
        if params.checkpoint is not None:
            checkpoint = checkpoint_reference(session, params.checkpoint)
        return EvaluateWork(
            params=params,
            dataset=dataset_reference(session, params.dataset, params),
            job=evaluated,
            checkpoint=checkpoint,
            judge=_judge(session) if evaluated and evaluated.target_ages else None,
        )


def _check_job(session: Session, job_id: str) -> None:
    """That the job makes images, and enough of them; that it can succeed was checked before."""
    job = session.get_one(Job, job_id)
    if job.kind not in MAKES_IMAGES:
        must = f"a job of kind {', '.join(MAKES_IMAGES)}; this one is a {job.kind}"
        raise invalid("job", job_id, must)
    if job.kind == "sample" and job.params["count"] < MIN_IMAGES:
        must = f"a job of at least {MIN_IMAGES} images; this one makes {job.params['count']}"
        raise invalid("job", job_id, must)


def _evaluated(session: Session, job: Job) -> EvaluatedJob:
    """The images of a job that has succeeded, and what they were meant to be."""
    images = _file_of(session, job.id, ArtifactRole.IMAGES)
    if job.kind == "guided_sample":
        guided = GuidedSampleParams.model_validate(job.params)
        ages = [age for age in guided.target_ages for _ in range(guided.faces_per_age)]
        return EvaluatedJob(kind="guided_sample", images=images, target_ages=ages)
    if job.kind == "merge":
        merge = MergeParams.model_validate(job.params)
        mask = None
        if merge.mask_upload is not None:
            mask = upload_reference(session, merge.mask_upload)
        sources = _file_of(session, job.id, ArtifactRole.SOURCES)
        return EvaluatedJob(kind="merge", images=images, merge=merge, sources=sources, mask=mask)
    return EvaluatedJob(kind="sample", images=images)


def _file_of(session: Session, job_id: str, role: ArtifactRole) -> FileReference:
    for artifact, shard in store.artifacts_of(session, job_id):
        if artifact.role == role and not store.is_piece(shard):
            return FileReference(path=artifact.path, sha256=artifact.sha256)
    raise LookupError(f"the {role.value} of job {job_id} are gone")


def _judge(session: Session) -> FileReference | None:
    judge = store.find_checkpoint(session, BUNDLED_JUDGE)
    return None if judge is None else FileReference(path=judge.path, sha256=judge.sha256)
