"""Rows of the workers that were heard, and of the shards that they hold."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.orm import Session

from jobs.contract import JobStatus
from jobs.messages import Heartbeat, Stranger
from jobs.tables import JOBS, SHARDS, WORKERS, Worker

WORKER_IS_ONLINE = timedelta(seconds=30)  # how long a silent worker is listed
WORKER_KEPT = timedelta(days=1)  # how long the row of a silent worker stays
CLOCK_SLACK = timedelta(seconds=30)  # what is this far in the future was not heard by this clock


@dataclass(frozen=True)
class HeldShard:
    """A shard that a worker runs, and for whom."""

    id: str
    job_id: str
    attempt: int
    holder: str
    submitter: str


_SHARD = SHARDS.c
_HELD = (
    select(_SHARD.id, _SHARD.job_id, _SHARD.attempt, _SHARD.holder, JOBS.c.submitter)
    .join(JOBS, JOBS.c.id == _SHARD.job_id)
    .where(
        _SHARD.finished_at.is_(None),
        _SHARD.holder.is_not(None),
        _SHARD.status == JobStatus.RUNNING.value,
    )
    .order_by(_SHARD.id)
)


def held_shards(session: Session) -> Sequence[HeldShard]:
    """Shards that run."""
    return [
        HeldShard(shard_id, job_id, attempt, str(holder), submitter)
        for shard_id, job_id, attempt, holder, submitter in session.execute(_HELD)
    ]


_KNOWN = select(WORKERS.c.id).where(WORKERS.c.id.in_(bindparam("ids", expanding=True)))
_SEEN = ("host", "version", "protocol", "last_seen_at", "slots", "capabilities", "usage")
_NOTE_WORKER = (
    update(WORKERS)
    .where(WORKERS.c.id == bindparam("of_worker"))
    .values({name: bindparam(f"seen_{name}") for name in _SEEN})
)


def note_worker(session: Session, heard: Heartbeat | Stranger) -> None:
    """Remember that a worker was heard now; one of another protocol takes no work."""
    note_workers(session, [heard])


def note_workers(session: Session, heard: Sequence[Heartbeat | Stranger]) -> None:
    """Remember that these workers, each named once, were heard now: see `note_worker`."""
    if not heard:
        return
    now = datetime.now(UTC)
    seen = {each.worker: _seen(each, now) for each in heard}
    known = set(session.scalars(_KNOWN, {"ids": list(seen)}))
    again = [
        {f"seen_{name}": value for name, value in row.items()} | {"of_worker": worker}
        for worker, row in seen.items()
        if worker in known
    ]
    if again:
        session.execute(_NOTE_WORKER, again)
    if len(again) < len(seen):
        kept = Worker.last_seen_at.between(now - WORKER_KEPT, now + WORKER_KEPT)
        session.execute(delete(Worker).where(~kept))
    for worker in seen.keys() - known:
        session.add(Worker(id=worker, first_seen_at=now, **seen[worker]))
    session.flush()


def _seen(heard: Heartbeat | Stranger, now: datetime) -> dict[str, Any]:
    seen: dict[str, Any] = {
        "host": heard.host,
        "version": heard.version,
        "protocol": heard.protocol,
        "last_seen_at": now,
    }
    if isinstance(heard, Stranger):
        return seen | {"slots": 0, "capabilities": {}, "usage": None}
    return seen | {
        "slots": 0 if heard.draining else heard.slots,
        "capabilities": heard.capabilities,
        "usage": heard.usage.model_dump() if heard.usage else None,
    }


def running_shards(session: Session) -> dict[str, list[str]]:
    """Worker → ids of the shards that it holds and runs."""
    running: dict[str, list[str]] = {}
    for shard in held_shards(session):
        running.setdefault(shard.holder, []).append(shard.id)
    return running


def find_worker(session: Session, worker_id: str) -> Worker | None:
    """The worker of this id, if it was heard of late."""
    return session.get(Worker, worker_id)


_DRAINED = select(WORKERS.c.id).where(WORKERS.c.drained_at.is_not(None))


def drained_workers(session: Session) -> frozenset[str]:
    """Workers that get no more shards."""
    return frozenset(session.scalars(_DRAINED))


def workers_heard_since(session: Session, since: datetime) -> Sequence[Worker]:
    """Workers heard since then, by id; what was heard in the future is known of no living one."""
    heard = Worker.last_seen_at.between(since, datetime.now(UTC) + CLOCK_SLACK)
    return session.scalars(select(Worker).where(heard).order_by(Worker.id)).all()
