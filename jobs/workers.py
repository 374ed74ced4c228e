"""Rows of the workers that were heard, and of the shards that they hold."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Session

from jobs.contract import JobStatus
from jobs.messages import Heartbeat, Stranger
from jobs.tables import JOBS, SHARDS, WORKERS, Worker

WORKER_KEPT = timedelta(days=1)  # how long a silent worker stays in the list
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


_SEEN = ("host", "version", "protocol", "last_seen_at", "slots", "capabilities", "usage")
_NOTE_WORKER = (
    update(WORKERS)
    .where(WORKERS.c.id == bindparam("of_worker"))
    .values({name: bindparam(f"seen_{name}") for name in _SEEN})
)


def note_worker(session: Session, heard: Heartbeat | Stranger) -> None:
    """Remember that a worker was heard now; one of another protocol takes no work."""
    now = datetime.now(UTC)
    seen: dict[str, Any] = {
        "host": heard.host,
        "version": heard.version,
        "protocol": heard.protocol,
        "last_seen_at": now,
    }
    if isinstance(heard, Heartbeat):
        seen["slots"] = 0 if heard.draining else heard.slots
        seen["capabilities"] = heard.capabilities
        seen["usage"] = heard.usage.model_dump() if heard.usage else None
    else:
        seen |= {"slots": 0, "capabilities": {}, "usage": None}
    given = {f"seen_{name}": value for name, value in seen.items()} | {"of_worker": heard.worker}
    known: CursorResult[Any] = session.execute(_NOTE_WORKER, given)  # type: ignore[assignment]  # of an UPDATE
    if known.rowcount == 0:
        kept = Worker.last_seen_at.between(now - WORKER_KEPT, now + WORKER_KEPT)
        session.execute(delete(Worker).where(~kept))
        session.add(Worker(id=heard.worker, first_seen_at=now, **seen))
        session.flush()


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
