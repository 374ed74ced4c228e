"""Who needs what: asked before anything is deleted, in the transaction that deletes it.

The database has one writer at a time, so that nobody comes to need it meanwhile.
"""

from collections.abc import Sequence

from sqlalchemy import String, cast, select
from sqlalchemy.orm import Session

from jobs.contract import ArtifactRole, Reference
from jobs.tables import Artifact, Checkpoint, Dataset, Job, JobParent, Upload

SHOWN = 20  # references that an error names


def jobs_after(session: Session, job_id: str) -> list[Reference]:
    """Jobs that wait, or waited, for this one: what it made went into them."""
    rows = session.execute(
        select(Job.id, Job.kind)
        .join(JobParent, JobParent.job_id == Job.id)
        .where(JobParent.parent_id == job_id)
        .order_by(Job.created_at, Job.id)
        .limit(SHOWN)
    )
    return [Reference(type="job", id=job_id, kind=kind) for job_id, kind in rows]


def jobs_naming(session: Session, named: str) -> list[Reference]:
    """Jobs whose parameters name the checkpoint, dataset or upload of this id.

    Ids are beginnings of hashes: as a whole JSON text, one is nothing else by chance.
    """
    rows = session.execute(
        select(Job.id, Job.kind)
        .where(cast(Job.params, String).contains(f'"{named}"', autoescape=True))
        .order_by(Job.created_at, Job.id)
        .limit(SHOWN)
    )
    return [Reference(type="job", id=job_id, kind=kind) for job_id, kind in rows]


def trained_by(session: Session, job_id: str) -> Sequence[Checkpoint]:
    """The checkpoints whose files lie in this job's folder."""
    return session.scalars(
        select(Checkpoint).where(Checkpoint.path.startswith(f"jobs/{job_id}/", autoescape=True))
    ).all()


def same_weights(session: Session, checkpoint: Checkpoint) -> Artifact | None:
    """A file of the same bytes that another job has made."""
    return session.scalars(
        select(Artifact)
        .where(
            Artifact.sha256 == checkpoint.sha256,
            Artifact.role == ArtifactRole.CHECKPOINT,
            Artifact.path != checkpoint.path,
        )
        .limit(1)
    ).first()


def is_file_needed(session: Session, path: str) -> bool:
    """Whether a row names this file, or one of this folder; for all but the folders of jobs."""
    return any(
        session.scalar(select(column).where((column == path) | within).limit(1)) is not None
        for column in (Checkpoint.path, Dataset.faces_path, Upload.path)
        for within in (column.startswith(f"{path}/", autoescape=True),)
    )
