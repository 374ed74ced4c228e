"""The state machine of shards, guarded in SQL; job_transitions.py has that of jobs.

A shard:

    queued ──send──► queued, sent_to=w ──running──► running, holder=w ──► succeeded | failed
      ▲                  │ (no report: repeat)           │
      └──────────────────┴──── lost, returned, silent ───┘      any of these ──► canceled

`attempt` is raised when a shard is sent anew, not when an unanswered message is repeated. The first
report of an attempt that is recorded makes its worker the holder; every later change is guarded by
(shard, attempt, holder, not ended). Each function here changes a row only if the guard holds, and
says whether it did.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from jobs import shard_statements as statements
from jobs.contract import ACTIVE_VALUES, ErrorInfo
from jobs.database import changed
from jobs.messages import Report, ReportStatus
from jobs.tables import Job, Shard

WORKER_LOST = ErrorInfo(code="worker_lost", message="the worker fell silent")
NO_REASON = ErrorInfo(code="internal_error", message="no reason was given")
DEFAULT_ERRORS = {ReportStatus.LOST: WORKER_LOST, ReportStatus.FAILED: NO_REASON}


@dataclass(frozen=True)
class Recorded:
    """What became of a report: whether it counted, and whether more than progress has changed."""

    counts: bool
    is_change: bool


def _now() -> datetime:
    return datetime.now(UTC)


def _of(shard_id: str, attempt: int, **more: Any) -> dict[str, Any]:
    return {"of_shard": shard_id, "of_attempt": attempt, **more}


def send_anew(session: Session, shard_id: str, attempt: int, worker: str) -> bool:
    """A new attempt goes to `worker`; `attempt` is the one before it. Whoever held it is out."""
    return changed(session, statements.SEND_ANEW, _of(shard_id, attempt, to_worker=worker))


def fail_unsent(session: Session, shard_id: str, attempt: int, error: ErrorInfo) -> bool:
    """The shard waits to be sent, but no message can be made of it: it fails."""
    given = _of(shard_id, attempt, said_error=error.model_dump(mode="json"), now=_now())
    return changed(session, statements.FAIL_UNSENT, given)


def delay(session: Session, shard_id: str, until: datetime, hand_backs: int, worker: str) -> bool:
    """The shard was handed back by `worker`, so many times in a row: it waits until then."""
    given = {"of_shard": shard_id, "until": until, "times": hand_backs, "by_worker": worker}
    return changed(session, statements.DELAY, given)


def change_job(session: Session, job_id: str, values: dict[str, Any]) -> bool:
    """Change what a person may change of a job, unless it has ended."""
    return changed(
        session,
        update(Job)
        .where(Job.id == job_id, Job.status.in_(ACTIVE_VALUES))
        .values(**values, status_seq=Job.status_seq + 1),
    )


def send_again(session: Session, shard_id: str, attempt: int, worker: str) -> bool:
    """The unanswered message of this attempt is repeated, to `worker`."""
    return changed(session, statements.SEND_AGAIN, _of(shard_id, attempt, to_worker=worker))


def record_report(
    session: Session, report: Report, max_losses: int, *, may_wait: bool = True
) -> Recorded:
    """Write what a worker says of an attempt, if its word counts; `may_wait`: it may be queued."""
    said = _said(report, max_losses)
    has_moved = may_wait and (
        changed(session, statements.HOLD, said) or changed(session, statements.RESUME, said)
    )
    counts = changed(session, statements.record(report.status, bool(report.curves)), said)
    return Recorded(counts, is_change=has_moved or (counts and report.status.is_final))


def record_many(
    session: Session, first: Sequence[Report], by_holder: Sequence[Report], max_losses: int
) -> None:
    """Write reports that are known to count, each of another shard: see `record_report`.

    Args:
        session: of a transaction that has read that they count.
        first: the first ones of attempts that are sent.
        by_holder: of the holders of shards that run.
        max_losses: at which a shard fails.
    """
    said = [(report, _said(report, max_losses)) for report in (*first, *by_holder)]
    if first:
        session.execute(statements.HOLD, [words for _, words in said[: len(first)]])
    alike: dict[tuple[ReportStatus, bool], list[dict[str, Any]]] = {}
    for report, words in said:
        alike.setdefault((report.status, bool(report.curves)), []).append(words)
    for kind, rows in alike.items():
        session.execute(statements.record(*kind), rows)


def _said(report: Report, max_losses: int) -> dict[str, Any]:
    """Whose word it is, what it says, and what decides what it means."""
    error = report.error or DEFAULT_ERRORS.get(report.status)
    return _of(
        report.shard_id,
        report.attempt,
        by_worker=report.worker,
        said_seq=report.seq,
        said_done=report.done,
        said_step=report.saved_step,
        said_preview=report.preview_version,
        said_notice=None if report.status.is_final else report.notice,
        said_curves=report.curves,
        said_error=error and error.model_dump(mode="json"),
        max_losses=max_losses,
        now=_now(),
    )


def resume_holder(session: Session, shard_id: str, attempt: int, worker: str) -> bool:
    """A holder that was taken for lost is heard again: it goes on, and the loss was none."""
    return changed(session, statements.RESUME, _of(shard_id, attempt, by_worker=worker))


def may_run(session: Session, shard_id: str, attempt: int, worker: str) -> bool:
    """Whether this attempt of this worker is, or may become, the one that counts."""
    return (
        session.scalar(
            select(Shard.id).where(
                Shard.id == shard_id,
                Shard.attempt == attempt,
                (Shard.holder == worker) | (Shard.holder.is_(None) & Shard.sent_to.is_not(None)),
                Shard.status.in_(ACTIVE_VALUES),
            )
        )
        is not None
    )


def take_back(session: Session, shard: Shard, error: ErrorInfo, max_losses: int) -> bool:
    """The holder is lost: the shard waits to be sent anew; a holder heard before that goes on."""
    given = _of(
        shard.id,
        shard.attempt,
        by_worker=shard.holder,
        said_error=error.model_dump(mode="json"),
        max_losses=max_losses,
        now=_now(),
    )
    return changed(session, statements.TAKE_BACK, given)
