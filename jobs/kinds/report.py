"""The kind `report`: one shard, which writes a page, a PDF and a zip of several jobs."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy.orm import Session

from jobs import store
from jobs.contract import ArtifactRole, Curves
from jobs.kinds.kind import Kind, Part
from jobs.kinds.references import invalid, require_checkpoint_row
from jobs.requests import CheckpointReference, JobReference, ReportParams
from jobs.tables import Artifact, Checkpoint, Job, Shard
from jobs.works import (
    AnyWork,
    FileReference,
    ReportedCheckpoint,
    ReportedFile,
    ReportedJob,
    ReportWork,
)

PERCENT = 100
CHECKPOINT_FIELDS = ("checkpoint", "regressor", "initial")  # parameters that name one
MADE = "made"  # in place of the parameter, of a checkpoint that the job made itself


class ReportKind(Kind[ReportParams]):
    """A report on jobs that have succeeded."""

    params = ReportParams

    def prepare(self, session: Session, params: ReportParams) -> ReportParams:
        """Check that each job is named once, and that none is a report."""
        for index, job_id in enumerate(params.jobs):
            job = session.get_one(Job, job_id)  # that it can succeed was checked before
            if job.kind == "report":
                raise invalid(f"jobs.{index}", job_id, "a job that is no report itself")
            if job_id in params.jobs[:index]:
                raise invalid(f"jobs.{index}", job_id, "a job that is not named before")
        return params

    def unit(self, params: ReportParams) -> str:
        """Hundredths of the whole."""
        return "percent"

    def split(self, params: ReportParams, shard_images: int) -> Sequence[Part]:
        """One shard."""
        return [Part("report", PERCENT)]

    def work(self, session: Session, job: Job, shard: Shard, params: ReportParams) -> AnyWork:
        """All that is known of the jobs, and where their files lie."""
        jobs = [_reported(session, session.get_one(Job, job_id)) for job_id in params.jobs]
        return ReportWork(
            params=params,
            jobs=jobs,
            submitter=job.submitter,
            submitted_on=job.created_at.date(),
        )


def _reported(session: Session, job: Job) -> ReportedJob:
    rows = store.artifacts_of(session, job.id)
    whole = [artifact for artifact, shard in rows if not store.is_piece(shard)]
    seconds = None
    if job.started_at is not None and job.finished_at is not None:
        seconds = max(0.0, (job.finished_at - job.started_at).total_seconds())
    curves: Curves = {}
    for shard in store.shards_of(session, job.id):
        curves |= shard.curves or {}
    return ReportedJob(
        id=job.id,
        kind=job.kind,
        name=job.name,
        params=job.params,
        seconds=seconds,
        files=[_file(artifact) for artifact in whole],
        checkpoints=[*_used(session, job.params), *_made(session, whole)],
        curves=curves,
    )


def _file(artifact: Artifact) -> ReportedFile:
    return ReportedFile(
        role=ArtifactRole(artifact.role),
        name=artifact.name,
        media_type=artifact.media_type,
        shape=artifact.shape,
        file=FileReference(path=artifact.path, sha256=artifact.sha256),
    )


def _used(session: Session, params: dict[str, Any]) -> Iterable[ReportedCheckpoint]:
    for field in CHECKPOINT_FIELDS:
        value = params.get(field)
        if value is None:
            continue
        named: CheckpointReference = (
            value if isinstance(value, str) else JobReference.model_validate(value)
        )
        yield _checkpoint(field, require_checkpoint_row(session, named))


def _made(session: Session, artifacts: Iterable[Artifact]) -> Iterable[ReportedCheckpoint]:
    for artifact in artifacts:
        if artifact.role == ArtifactRole.CHECKPOINT:
            row = store.find_checkpoint(session, artifact.sha256[:16])
            if row is not None:
                yield _checkpoint(MADE, row)


def _checkpoint(field: str, row: Checkpoint) -> ReportedCheckpoint:
    return ReportedCheckpoint(
        field=field,
        id=row.id,
        name=row.name,
        facts=row.description,
        file=FileReference(path=row.path, sha256=row.sha256),
    )
