"""A job as callers see it, with its place in the queue: why it waits, and for whom."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from jobs import store
from jobs.contract import JobStatus, JobView
from jobs.parents import waiting_words
from jobs.tables import Job, Shard
from jobs.views import job_view

WORKER_IS_ONLINE = timedelta(seconds=30)


def view_of(session: Session, job: Job) -> JobView:
    """The job as it is now."""
    parents = store.parents_of(session, job.id)
    reason = notice = None
    if job.status == JobStatus.QUEUED:
        reason = waiting_words(parents) or _place_in_queue(session, job)
    elif job.status == JobStatus.RUNNING:
        notice = _notice_of(session, job.id)
    return job_view(job, reason, parents, notice)


def online_since() -> datetime:
    """A worker that was heard since then is online."""
    return datetime.now(UTC) - WORKER_IS_ONLINE


def _notice_of(session: Session, job_id: str) -> str | None:
    """What hinders the first running shard of a job that something hinders."""
    hindered = (
        Shard.job_id == job_id,
        Shard.status == JobStatus.RUNNING,
        Shard.notice.is_not(None),
    )
    return session.scalar(select(Shard.notice).where(*hindered).order_by(Shard.index).limit(1))


def _place_in_queue(session: Session, job: Job) -> str:
    if not store.workers_heard_since(session, online_since()):
        return "No worker is online."
    ahead = store.jobs_ahead(session, job)
    if ahead:
        return f"{ahead} {'job goes' if ahead == 1 else 'jobs go'} before it."
    return "It waits for a free worker."
