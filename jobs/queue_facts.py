"""What is known of the queue at one moment, read once for all jobs of an answer."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from jobs import store
from jobs.contract import JobStatus
from jobs.forecast import OnlineSlot
from jobs.messages import PROTOCOL
from jobs.pauses import ALL, pauses
from jobs.queue_order import (
    Runnable,
    WaitingShard,
    can_run,
    front_of_queue,
    jobs_before,
    kinds_of,
)
from jobs.tables import Job, JobParent, Pause, Shard, Worker
from jobs.timings import device_words
from jobs.workers import WORKER_IS_ONLINE, held_shards, workers_heard_since

PLACES = 200  # shards of the front of the queue whose place is told exactly


@dataclass(frozen=True)
class Setback:
    """A shard that waits to be sent again, and why."""

    index: int
    lost_by: str | None  # the worker whose loss is the newest
    loss: str  # the code of that loss: whether it was the worker or its engine
    returned_by: str | None
    not_before: datetime | None


class QueueFacts:
    """The queue as it is now; what nobody asks for is not read."""

    def __init__(self, session: Session, jobs: Sequence[Job], now: datetime | None = None) -> None:
        """Answer for these jobs."""
        self._session = session
        self._jobs = jobs
        self.now = now or datetime.now(UTC)
        self._active = [job.id for job in jobs if job.finished_at is None]
        self._running = [job.id for job in jobs if job.status == JobStatus.RUNNING]

    @cached_property
    def parents(self) -> Mapping[str, Sequence[Job]]:
        """Job → those that must succeed before it, oldest first."""
        rows = self._session.execute(
            select(JobParent.job_id, Job)
            .join(Job, Job.id == JobParent.parent_id)
            .where(JobParent.job_id.in_([job.id for job in self._jobs]))
            .order_by(Job.created_at, Job.id)
        )
        found: dict[str, list[Job]] = {}
        for job_id, parent in rows:
            found.setdefault(job_id, []).append(parent)
        return found

    @cached_property
    def pauses(self) -> Mapping[str, Pause]:
        """Scope → pause."""
        return pauses(self._session)

    @cached_property
    def workers(self) -> Sequence[Worker]:
        """Workers that are online."""
        return workers_heard_since(self._session, online_since(self.now))

    @cached_property
    def slots(self) -> Sequence[OnlineSlot]:
        """One for each slot of a worker that takes work."""
        return [
            OnlineSlot(worker.id, kinds_of(worker.capabilities), device_words(worker.capabilities))
            for worker in self.workers
            if worker.drained_at is None and worker.protocol == PROTOCOL
            for _ in range(worker.slots)
        ]

    def runs(self, worker: Worker, kind: str) -> bool:
        """Whether this worker runs shards of jobs of this kind."""
        if worker.protocol != PROTOCOL:
            return False
        return can_run(kinds_of(worker.capabilities), kind, kind)

    def front(self, limit: int) -> list[WaitingShard]:
        """The first shards of the queue, of what is not paused and runs somewhere."""
        if ALL in self.pauses:
            return []
        kinds = [slot.kinds for slot in self.slots]
        runnable = Runnable(
            None if None in kinds else frozenset().union(*(each for each in kinds if each)),
            frozenset(self.pauses),
        )
        return front_of_queue(self._session, self.now, limit, runnable)

    @cached_property
    def notices(self) -> Mapping[str, str]:
        """Running job → what hinders the first of its running shards that something hinders."""
        rows = self._session.execute(
            select(Shard.job_id, Shard.notice)
            .where(
                Shard.finished_at.is_(None),
                Shard.holder.is_not(None),
                Shard.status == JobStatus.RUNNING,
                Shard.notice.is_not(None),
                Shard.job_id.in_(self._running),
            )
            .order_by(Shard.index.desc())
        )
        return {job_id: str(notice) for job_id, notice in rows}

    @cached_property
    def jobs_before(self) -> Mapping[str, int]:
        """Job → how many others have a shard that goes before its first waiting one."""
        return jobs_before(self.front(PLACES))

    @cached_property
    def sent(self) -> Mapping[str, str]:
        """Job → a worker that has not answered yet."""
        return {shard.job_id: str(shard.sent_to) for shard in store.active_shards(self._session)}

    @cached_property
    def held(self) -> frozenset[str]:
        """Jobs of which shards run."""
        return frozenset(shard.job_id for shard in held_shards(self._session))

    @cached_property
    def waiting_shards(self) -> Mapping[str, int]:
        """Running job → how many of its shards wait to be sent; not what waits for the others."""
        rows = self._session.execute(
            select(Shard.job_id, func.count())
            .where(
                Shard.job_id.in_(self._running),
                Shard.status == JobStatus.QUEUED,
                Shard.sent_to.is_(None),
                Shard.kind != "assemble",
            )
            .group_by(Shard.job_id)
        )
        counts = {job_id: count for job_id, count in rows}
        assembling = set(self._running) - counts.keys() - self.held - self.sent.keys()
        return counts | dict.fromkeys(assembling, 1)

    @cached_property
    def setbacks(self) -> Mapping[str, Setback]:
        """Job → the first of its shards that waits to be sent again."""
        rows = self._session.scalars(
            select(Shard)
            .where(
                Shard.job_id.in_(self._active),
                Shard.status == JobStatus.QUEUED,
                Shard.sent_to.is_(None),
                (Shard.losses > 0) | Shard.not_before.is_not(None),
            )
            .order_by(Shard.job_id, Shard.index.desc())
        )
        return {shard.job_id: _setback(shard) for shard in rows}


def _setback(shard: Shard) -> Setback:
    error = shard.error or {}
    worker = error.get("details", {}).get("worker", "that held it")
    return Setback(
        index=shard.index,
        lost_by=str(worker) if shard.losses else None,
        loss=str(error.get("code", "")),
        returned_by=shard.returned_by,
        not_before=shard.not_before,
    )


def online_since(now: datetime | None = None) -> datetime:
    """A worker that was heard since then is online."""
    return (now or datetime.now(UTC)) - WORKER_IS_ONLINE


def facts_of(session: Session, jobs: Iterable[Job]) -> QueueFacts:
    """The facts for these jobs."""
    return QueueFacts(session, list(jobs))
