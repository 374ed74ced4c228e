"""Reads and inserts of all that is kept; transitions.py changes jobs and shards."""

import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, bindparam, delete, insert, select, tuple_
from sqlalchemy.orm import Session, aliased

from jobs.contract import ArtifactRole, JobStatus
from jobs.messages import ArtifactRecord
from jobs.tables import ARTIFACTS, Artifact, Checkpoint, Dataset, Job, JobParent, Shard, Upload


def new_id() -> str:
    """A random id of 16 hexadecimal digits."""
    return secrets.token_hex(8)


def find_job(session: Session, job_id: str) -> Job | None:
    """The job of this id."""
    return session.get(Job, job_id)


def find_by_key(session: Session, submitter: str, idempotency_key: str) -> Job | None:
    """The job that this submitter made with this key."""
    return session.scalar(
        select(Job).where(Job.submitter == submitter, Job.idempotency_key == idempotency_key)
    )


def jobs_of_batch(session: Session, batch_id: str) -> Sequence[Job]:
    """The jobs that were submitted together, in their order."""
    query = select(Job).where(Job.batch_id == batch_id).order_by(Job.created_at, Job.id)
    return session.scalars(query).all()


def parents_of(session: Session, job_id: str) -> Sequence[Job]:
    """The jobs that must succeed before this one may run, oldest first."""
    return session.scalars(
        select(Job)
        .join(JobParent, JobParent.parent_id == Job.id)
        .where(JobParent.job_id == job_id)
        .order_by(Job.created_at, Job.id)
    ).all()


def children_of(session: Session, job_id: str) -> Sequence[Job]:
    """The jobs that may not run before this one has succeeded, oldest first."""
    return session.scalars(
        select(Job)
        .join(JobParent, JobParent.job_id == Job.id)
        .where(JobParent.parent_id == job_id)
        .order_by(Job.created_at, Job.id)
    ).all()


def newest_retry(session: Session, job_id: str) -> Job | None:
    """The last job that was made of this one anew."""
    query = select(Job).where(Job.retry_of == job_id).order_by(Job.created_at.desc(), Job.id)
    return session.scalars(query.limit(1)).first()


def waits_for_parents() -> ColumnElement[bool]:
    """Whether a job, in a query over jobs, waits for another that has not succeeded."""
    parent = aliased(Job)
    return (
        select(JobParent.job_id)
        .join(parent, parent.id == JobParent.parent_id)
        .where(JobParent.job_id == Job.id, parent.status != JobStatus.SUCCEEDED)
        .correlate(Job)
        .exists()
    )


def newest_jobs(
    session: Session,
    limit: int,
    before: tuple[datetime, str] | None,
    status: JobStatus | None,
) -> Sequence[Job]:
    """Jobs, newest first, that come after the position `before` in that order."""
    query = select(Job).order_by(Job.created_at.desc(), Job.id.desc()).limit(limit)
    if before is not None:
        query = query.where(tuple_(Job.created_at, Job.id) < before)
    if status is not None:
        query = query.where(Job.status == status)
    return session.scalars(query).all()


def shards_of(session: Session, job_id: str) -> Sequence[Shard]:
    """The shards of a job, in order."""
    return session.scalars(select(Shard).where(Shard.job_id == job_id).order_by(Shard.index)).all()


def find_shard(session: Session, shard_id: str) -> Shard | None:
    """The shard of this id."""
    return session.get(Shard, shard_id)


def read_shards(session: Session, shard_ids: Sequence[str]) -> Mapping[str, Shard]:
    """Shards by id, as they are now: what the session holds of them is read anew."""
    query = select(Shard).where(Shard.id.in_(shard_ids))
    rows = session.scalars(query.execution_options(populate_existing=True))
    return {shard.id: shard for shard in rows}


def active_shards(session: Session) -> Sequence[Shard]:
    """Shards that are sent and have not ended."""
    return session.scalars(
        select(Shard).where(Shard.finished_at.is_(None), Shard.sent_to.is_not(None))
    ).all()


class Made(NamedTuple):
    """What a shard made."""

    job_id: str
    shard_id: str
    records: Sequence[ArtifactRecord]


def add_artifacts(session: Session, made: Sequence[Made]) -> None:
    """Keep what shards made, in place of anything that was kept of them."""
    shards = [each.shard_id for each in made]
    session.execute(_FORGET_ARTIFACTS, {"of_shards": shards})
    now = datetime.now(UTC)
    rows = [
        {"id": new_id(), "job_id": each.job_id, "shard_id": each.shard_id, "created_at": now}
        | record.model_dump(mode="json", exclude={"details"})
        for each in made
        for record in each.records
    ]
    if rows:
        session.execute(insert(ARTIFACTS), rows)


_FORGET_ARTIFACTS = delete(ARTIFACTS).where(
    ARTIFACTS.c.shard_id.in_(bindparam("of_shards", expanding=True))
)


def artifacts_of(session: Session, job_id: str) -> Sequence[tuple[Artifact, Shard]]:
    """The artifacts of a job with their shards: the whole's first, then the pieces in order."""
    rows = session.execute(
        select(Artifact, Shard)
        .join(Shard, Shard.id == Artifact.shard_id)
        .where(Artifact.job_id == job_id)
        .order_by(Shard.kind != "assemble", Shard.index, Artifact.name)
    )
    return [(artifact, shard) for artifact, shard in rows]


def is_piece(shard: Shard) -> bool:
    """Whether what this shard made is a part of its job's images; else it is the whole's."""
    return shard.image_count > 0 and shard.kind != "assemble"


def find_artifact(session: Session, artifact_id: str) -> tuple[Artifact, Shard] | None:
    """The artifact of this id with its shard."""
    row = session.execute(
        select(Artifact, Shard)
        .join(Shard, Shard.id == Artifact.shard_id)
        .where(Artifact.id == artifact_id)
    ).first()
    return None if row is None else (row[0], row[1])


def find_checkpoint(session: Session, checkpoint_id: str) -> Checkpoint | None:
    """The checkpoint of this id."""
    return session.get(Checkpoint, checkpoint_id)


def all_checkpoints(session: Session) -> Sequence[Checkpoint]:
    """All checkpoints, newest first."""
    return session.scalars(select(Checkpoint).order_by(Checkpoint.created_at.desc())).all()


def add_trained_checkpoints(session: Session, job: Job, records: Sequence[ArtifactRecord]) -> None:
    """Make known what a job trained, under its hash; the same weights are known once."""
    for record in records:
        checkpoint_id = record.sha256[:16]
        if record.role is not ArtifactRole.CHECKPOINT or find_checkpoint(session, checkpoint_id):
            continue
        session.add(
            Checkpoint(
                id=checkpoint_id,
                name=job.name or f"Trained by job {job.id}",
                architecture=record.details["architecture"],
                width=record.details["width"],
                path=record.path,
                sha256=record.sha256,
                size_bytes=record.size_bytes,
                description=record.details,
                job_id=job.id,
                created_at=datetime.now(UTC),
            )
        )


def find_dataset(session: Session, dataset_id: str) -> Dataset | None:
    """The dataset of this id."""
    return session.get(Dataset, dataset_id)


def all_datasets(session: Session) -> Sequence[Dataset]:
    """All datasets that are kept, newest first."""
    return session.scalars(select(Dataset).order_by(Dataset.created_at.desc())).all()


def find_upload(session: Session, upload_id: str) -> Upload | None:
    """The uploaded picture of this id."""
    return session.get(Upload, upload_id)


def all_uploads(session: Session) -> Sequence[Upload]:
    """All uploaded pictures, newest first."""
    return session.scalars(select(Upload).order_by(Upload.created_at.desc(), Upload.id)).all()
