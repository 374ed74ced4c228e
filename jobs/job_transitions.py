"""The state machine of jobs: a job follows its shards, and what waits for it follows the job."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

from sqlalchemy import Update, bindparam, func, select, update
from sqlalchemy.orm import Session

from jobs.children import end_children
from jobs.contract import ACTIVE_VALUES, JobStatus
from jobs.database import changed
from jobs.tables import JOBS, SHARDS, Job, Shard


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
    return _bring_up(session, job_id, _tally(session, [job_id])[job_id])


def refresh_jobs(session: Session, job_ids: Collection[str]) -> list[str]:
    """As `refresh_job` for each of them, with one look at all their shards.

    Returns:
        The ids of the jobs that ended because one of these failed.
    """
    tallies = _tally(session, job_ids)
    each = [_bring_up(session, job_id, tallies[job_id]) for job_id in job_ids]
    return [ended for changed_ones in each for ended in changed_ones[1:]]


@dataclass
class _Tally:
    """How many shards of a job are in each status, and what they have done together."""

    counts: dict[str, int] = field(default_factory=dict)
    done: int = 0


def _tally(session: Session, job_ids: Collection[str]) -> Mapping[str, _Tally]:
    tallies = {job_id: _Tally() for job_id in job_ids}
    rows = session.execute(_COUNTS, {"of_jobs": list(job_ids)}) if job_ids else ()
    for job_id, shard_status, count, shard_done in rows:
        tallies[job_id].counts[shard_status] = count
        tallies[job_id].done += shard_done
    return tallies


def _bring_up(session: Session, job_id: str, tally: _Tally) -> list[str]:
    status = _status_by(tally.counts)
    given: dict[str, Any] = {"of_job": job_id, "sum_done": tally.done, "now": datetime.now(UTC)}
    if status is JobStatus.FAILED:
        given["first_error"] = _first_error(session, job_id)
    if not changed(session, _follow(status), given):
        return []
    if status is not JobStatus.FAILED:
        return [job_id]
    cancel_shards(session, job_id)
    return [job_id, *end_children(session, job_id)]


_COUNTS = (
    select(SHARDS.c.job_id, SHARDS.c.status, func.count(), func.sum(SHARDS.c.done))
    .where(SHARDS.c.job_id.in_(bindparam("of_jobs", expanding=True)))
    .group_by(SHARDS.c.job_id, SHARDS.c.status)
)


def _status_by(counts: Mapping[str, int]) -> JobStatus | None:
    """What a job is when so many of its shards are in each status; None: as it was."""
    if counts.get(JobStatus.FAILED):
        return JobStatus.FAILED
    if set(counts) == {JobStatus.SUCCEEDED}:
        return JobStatus.SUCCEEDED
    if counts.get(JobStatus.RUNNING) or counts.get(JobStatus.SUCCEEDED):
        return JobStatus.RUNNING
    return None


@cache
def _follow(status: JobStatus | None) -> Update:
    """A job that has not ended gets this status; built once, see shard_statements.py."""
    job = JOBS.c
    now = bindparam("now", type_=job.finished_at.type)
    values: dict[str, Any] = {"done": bindparam("sum_done"), "status_seq": job.status_seq + 1}
    if status is not None:
        values |= {"status": status.value, "started_at": func.coalesce(job.started_at, now)}
    if status is not None and status.has_ended:
        values["finished_at"] = now
    if status is JobStatus.FAILED:
        values["error"] = bindparam("first_error")
    is_open = job.status.in_(ACTIVE_VALUES)
    return update(JOBS).where(job.id == bindparam("of_job"), is_open).values(**values)


def _first_error(session: Session, job_id: str) -> dict[str, Any] | None:
    return session.scalar(
        select(Shard.error)
        .where(Shard.job_id == job_id, Shard.status == JobStatus.FAILED)
        .order_by(Shard.index)
        .limit(1)
    )
