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

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, case, func, select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Session

from jobs.contract import ACTIVE_VALUES, ErrorInfo, JobStatus
from jobs.messages import Report, ReportStatus
from jobs.tables import Job, Shard


@dataclass(frozen=True)
class Recorded:
    """What became of a report: whether it counted, and whether more than progress has changed."""

    counts: bool
    is_change: bool


def _now() -> datetime:
    return datetime.now(UTC)


def changed(session: Session, statement: Any) -> bool:
    """Run an UPDATE whose guard names one row; whether it held."""
    result: CursorResult[Any] = session.execute(statement)  # type: ignore[assignment]  # of an UPDATE
    return result.rowcount == 1


def _queued(shard_id: str, attempt: int) -> tuple[ColumnElement[bool], ...]:
    return (
        Shard.id == shard_id,
        Shard.attempt == attempt,
        Shard.status == JobStatus.QUEUED,
    )


def send_anew(session: Session, shard_id: str, attempt: int, worker: str) -> bool:
    """A new attempt goes to `worker`; `attempt` is the one before it. Whoever held it is out."""
    return changed(
        session,
        update(Shard)
        .where(
            *_queued(shard_id, attempt),
            Shard.sent_to.is_(None),
        )
        .values(attempt=attempt + 1, sent_to=worker, holder=None, seq=0),
    )


def fail_unsent(session: Session, shard_id: str, attempt: int, error: ErrorInfo) -> bool:
    """The shard waits to be sent, but no message can be made of it: it fails."""
    return changed(
        session,
        update(Shard).where(*_queued(shard_id, attempt)).values(**_failed_values(error)),
    )


def delay(session: Session, shard_id: str, until: datetime, hand_backs: int, worker: str) -> bool:
    """The shard was handed back by `worker`, so many times in a row: it waits until then."""
    return changed(
        session,
        update(Shard)
        .where(Shard.id == shard_id, Shard.status == JobStatus.QUEUED)
        .values(not_before=until, hand_backs=hand_backs, returned_by=worker),
    )


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
    return changed(
        session,
        update(Shard)
        .where(
            *_queued(shard_id, attempt),
            Shard.sent_to.is_not(None),
            Shard.holder.is_(None),
        )
        .values(sent_to=worker),
    )


def record_report(
    session: Session, report: Report, max_losses: int, *, may_wait: bool = True
) -> Recorded:
    """Write what a worker says of an attempt, if its word counts; `may_wait`: it may be queued."""
    has_moved = may_wait and (
        _hold(session, report)
        or resume_holder(session, report.shard_id, report.attempt, report.worker)
    )
    values = _reported_values(report)
    if report.status is ReportStatus.LOST:
        values |= _loss_values(report.error, values["saved_step"], max_losses)
    statement = update(Shard).where(*_guard(report)).values(**values)
    counts = changed(session, statement.execution_options(synchronize_session=False))
    return Recorded(counts, is_change=has_moved or (counts and report.status.is_final))


def _hold(session: Session, report: Report) -> bool:
    """Make the worker of the first report of an attempt its holder."""
    return changed(
        session,
        update(Shard)
        .where(
            *_queued(report.shard_id, report.attempt),
            Shard.sent_to.is_not(None),
            Shard.holder.is_(None),
        )
        .values(
            holder=report.worker,
            sent_to=None,
            status=JobStatus.RUNNING,
            started_at=func.coalesce(Shard.started_at, _now()),
        ),
    )


def resume_holder(session: Session, shard_id: str, attempt: int, worker: str) -> bool:
    """A holder that was taken for lost is heard again: it goes on, and the loss was none."""
    return changed(
        session,
        update(Shard)
        .where(
            *_queued(shard_id, attempt),
            Shard.holder == worker,
        )
        .values(
            status=JobStatus.RUNNING,
            losses=case((Shard.losses > 0, Shard.losses - 1), else_=0),
        ),
    )


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


def _guard(report: Report) -> tuple[Any, ...]:
    return (
        Shard.id == report.shard_id,
        Shard.attempt == report.attempt,
        Shard.holder == report.worker,
        Shard.seq < report.seq,
        Shard.status.in_(ACTIVE_VALUES),
    )


def _reported_values(report: Report) -> dict[str, Any]:
    values: dict[str, Any] = {
        "seq": report.seq,
        "done": report.done,
        # A new attempt says 0 until it has loaded what an earlier one saved.
        "saved_step": case(
            (Shard.saved_step > report.saved_step, Shard.saved_step), else_=report.saved_step
        ),
        "preview_version": report.preview_version,
        "notice": None if report.status.is_final else report.notice,
    }
    if report.curves:
        values["curves"] = report.curves
    if report.status is ReportStatus.SUCCEEDED:
        values |= {"status": JobStatus.SUCCEEDED, "done": Shard.total, "finished_at": _now()}
    elif report.status is ReportStatus.FAILED:
        error = report.error or ErrorInfo(code="internal_error", message="no reason was given")
        values |= _failed_values(error)
    elif report.status is ReportStatus.RETURNED:
        values |= {"status": JobStatus.QUEUED, "holder": None}
    return values


def _failed_values(error: ErrorInfo) -> dict[str, Any]:
    return {
        "status": JobStatus.FAILED,
        "error": error.model_dump(mode="json"),
        "finished_at": _now(),
    }


def _loss_values(
    error: ErrorInfo | None, saved_step: ColumnElement[int], max_losses: int
) -> dict[str, Any]:
    """Queue the shard again, or fail it at `max_losses`; progress since the last loss forgives."""
    error = error or ErrorInfo(code="worker_lost", message="the worker fell silent")
    losses = case((saved_step > Shard.loss_step, 1), else_=Shard.losses + 1)
    is_last = losses >= max_losses
    return {
        "losses": losses,
        "loss_step": saved_step,
        "status": case((is_last, JobStatus.FAILED.value), else_=JobStatus.QUEUED.value),
        "finished_at": case((is_last, _now()), else_=None),
        "error": error.model_dump(mode="json"),  # what is known of the newest loss
        "notice": None,
        "holder": None,
    }


def take_back(session: Session, shard: Shard, error: ErrorInfo, max_losses: int) -> bool:
    """The holder is lost: the shard waits to be sent anew; a holder heard before that goes on."""
    values = _loss_values(error, Shard.saved_step.expression, max_losses)
    del values["holder"]
    return changed(
        session,
        update(Shard)
        .where(
            Shard.id == shard.id,
            Shard.attempt == shard.attempt,
            Shard.holder == shard.holder,
            Shard.status == JobStatus.RUNNING,
        )
        .values(**values),
    )
