"""The guarded UPDATEs of shards, built once: transitions.py runs them and says what they mean.

Building a statement for each message was most of a busy dispatcher's work. These are of the table,
not of the mapped class: what a session holds does not follow them, and whoever needs a row
afterwards reads it with `populate_existing`.
"""

from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Update, bindparam, case, func, or_, update

from jobs.contract import ACTIVE_VALUES, JobStatus
from jobs.messages import ReportStatus
from jobs.tables import SHARDS

_SHARD = SHARDS.c

_OF_ATTEMPT = (_SHARD.id == bindparam("of_shard"), _SHARD.attempt == bindparam("of_attempt"))
_WAITS = (*_OF_ATTEMPT, _SHARD.status == JobStatus.QUEUED.value)
_IS_UNANSWERED = _SHARD.sent_to.is_not(None) & _SHARD.holder.is_(None)
_BY_HOLDER = _SHARD.holder == bindparam("by_worker")
_NOW = bindparam("now", type_=_SHARD.finished_at.type)
_SAID_ERROR = bindparam("said_error", type_=_SHARD.error.type)
_FAILED = {"status": JobStatus.FAILED.value, "error": _SAID_ERROR, "finished_at": _NOW}

SEND_ANEW = (
    update(SHARDS)
    .where(*_WAITS, _SHARD.sent_to.is_(None))
    .values(attempt=_SHARD.attempt + 1, sent_to=bindparam("to_worker"), holder=None, seq=0)
)
SEND_AGAIN = update(SHARDS).where(*_WAITS, _IS_UNANSWERED).values(sent_to=bindparam("to_worker"))
FAIL_UNSENT = update(SHARDS).where(*_WAITS).values(**_FAILED)
DELAY = (
    update(SHARDS)
    .where(_SHARD.id == bindparam("of_shard"), _SHARD.status == JobStatus.QUEUED.value)
    .values(
        not_before=bindparam("until"),
        hand_backs=bindparam("times"),
        returned_by=bindparam("by_worker"),
    )
)
HOLD = (
    update(SHARDS)
    .where(*_WAITS, _IS_UNANSWERED)
    .values(
        holder=bindparam("by_worker"),
        sent_to=None,
        status=JobStatus.RUNNING.value,
        started_at=func.coalesce(_SHARD.started_at, _NOW),
    )
)
RESUME = (
    update(SHARDS)
    .where(*_WAITS, _BY_HOLDER)
    .values(
        status=JobStatus.RUNNING.value,
        losses=case((_SHARD.losses > 0, _SHARD.losses - 1), else_=0),
    )
)


@cache
def record(status: ReportStatus, has_curves: bool) -> Update:
    """What a report of this status says."""
    # A new attempt says 0 until it has loaded what an earlier one saved.
    said_step = bindparam("said_step", type_=_SHARD.saved_step.type)
    saved_step = case((_SHARD.saved_step > said_step, _SHARD.saved_step), else_=said_step)
    values: dict[str, Any] = {
        "seq": bindparam("said_seq"),
        "done": bindparam("said_done"),
        "saved_step": saved_step,
        "preview_version": bindparam("said_preview"),
        "notice": bindparam("said_notice"),
    }
    if has_curves:
        values["curves"] = bindparam("said_curves")
    if status is ReportStatus.SUCCEEDED:
        values |= {"status": JobStatus.SUCCEEDED.value, "done": _SHARD.total, "finished_at": _NOW}
    elif status is ReportStatus.FAILED:
        values |= _FAILED
    elif status is ReportStatus.RETURNED:
        values |= {"status": JobStatus.QUEUED.value, "holder": None}
    elif status is ReportStatus.LOST:
        values |= _loss(saved_step) | {"holder": None}
    is_newer = _SHARD.seq < bindparam("said_seq")
    is_open = or_(*(_SHARD.status == value for value in ACTIVE_VALUES))  # IN takes no many rows
    return update(SHARDS).where(*_OF_ATTEMPT, _BY_HOLDER, is_newer, is_open).values(**values)


def _loss(saved_step: ColumnElement[int]) -> dict[str, Any]:
    """Queue the shard again, or fail it at `max_losses`; progress since the last loss forgives."""
    losses = case((saved_step > _SHARD.loss_step, 1), else_=_SHARD.losses + 1)
    is_last = losses >= bindparam("max_losses")
    return {
        "losses": losses,
        "loss_step": saved_step,
        "status": case((is_last, JobStatus.FAILED.value), else_=JobStatus.QUEUED.value),
        "finished_at": case((is_last, _NOW), else_=None),
        "error": _SAID_ERROR,  # what is known of the newest loss
        "notice": None,
    }


TAKE_BACK = (
    update(SHARDS)
    .where(*_OF_ATTEMPT, _BY_HOLDER, _SHARD.status == JobStatus.RUNNING.value)
    .values(**_loss(_SHARD.saved_step))
)
