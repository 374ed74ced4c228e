"""The state machine of jobs: a job follows its shards, and what waits for it follows the job."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from jobs.children import end_children
from jobs.contract import ACTIVE_VALUES, JobStatus
from jobs.tables import Job, Shard
from jobs.transitions import changed


def cancel_job(session: Session, job_id: str) -> list[str]:
    """End the job with all its shards, and all jobs that wait for it, unless it has ended.

    Returns:
        The ids of the jobs that ended, this one first; none if it has ended before.
    """
    now = datetime.now(UTC)
    canceled = changed(
        session,
        update(Job)
        .where(Job.id == job_id, Job.status.in_(ACTIVE_VALUES))
        .values(status=JobStatus.CANCELED, finished_at=now, status_seq=Job.status_seq + 1),
    )
    if not canceled:
        return []
    cancel_shards(session, job_id)
    return [job_id, *end_children(session, job_id)]


def cancel_shards(session: Session, job_id: str) -> None:
    """End all shards of a job that have not ended."""
    session.execute(
        update(Shard)
        .where(Shard.job_id == job_id, Shard.status.in_(ACTIVE_VALUES))
        .values(status=JobStatus.CANCELED, finished_at=datetime.now(UTC))
    )


def refresh_job(session: Session, job_id: str) -> list[str]:
    """Bring the job's row up to its shards; jobs that wait for one that fails end with it.

    Returns:
        The ids of the jobs that changed, this one first; none if it has ended before.
    """
    counts: dict[str, int] = {}
    done = 0
    grouped = (
        select(Shard.status, func.count(), func.sum(Shard.done))
        .where(Shard.job_id == job_id)
        .group_by(Shard.status)
    )
    for status, count, shard_done in session.execute(grouped):
        counts[status] = count
        done += shard_done
    now = datetime.now(UTC)
    values: dict[str, Any] = {"done": done, "status_seq": Job.status_seq + 1}
    started = func.coalesce(Job.started_at, now)
    if counts.get(JobStatus.FAILED):
        values |= {"status": JobStatus.FAILED, "finished_at": now, "started_at": started}
        values["error"] = _first_error(session, job_id)
    elif set(counts) == {JobStatus.SUCCEEDED}:
        values |= {"status": JobStatus.SUCCEEDED, "finished_at": now, "started_at": started}
    elif counts.get(JobStatus.RUNNING) or counts.get(JobStatus.SUCCEEDED):
        values |= {"status": JobStatus.RUNNING, "started_at": started}
    has_changed = changed(
        session,
        update(Job).where(Job.id == job_id, Job.status.in_(ACTIVE_VALUES)).values(**values),
    )
    if not has_changed:
        return []
    if values.get("status") != JobStatus.FAILED:
        return [job_id]
    cancel_shards(session, job_id)
    return [job_id, *end_children(session, job_id)]


def _first_error(session: Session, job_id: str) -> dict[str, Any] | None:
    return session.scalar(
        select(Shard.error)
        .where(Shard.job_id == job_id, Shard.status == JobStatus.FAILED)
        .order_by(Shard.index)
        .limit(1)
    )
