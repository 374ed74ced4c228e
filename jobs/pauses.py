"""Pauses of the queue, or of one kind of job: nothing new is sent, what runs goes on."""

from collections.abc import Mapping
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from jobs.errors import PauseNotFoundError, ValidationError
from jobs.kinds import KINDS
from jobs.queue_contract import PauseView
from jobs.tables import PAUSES, Pause

ALL = "all"  # the scope of a pause of the whole queue


def pauses(session: Session) -> Mapping[str, Pause]:
    """Scope → pause."""
    return {pause.scope: pause for pause in session.scalars(select(Pause).order_by(Pause.scope))}


_SCOPES = select(PAUSES.c.scope)


def paused_scopes(session: Session) -> frozenset[str]:
    """What is paused: kinds, or `all`."""
    return frozenset(session.scalars(_SCOPES))


def pause(session: Session, scope: str, reason: str, by: str) -> Pause:
    """Pause a kind, or `all`; a pause that is there gets the new reason.

    Raises:
        ValidationError: there is no such kind.
    """
    require_scope(scope)
    row = session.get(Pause, scope)
    if row is None:
        row = Pause(scope=scope, paused_at=datetime.now(UTC), reason=reason, paused_by=by)
        session.add(row)
    row.reason, row.paused_by = reason, by
    session.flush()
    return row


def resume(session: Session, scope: str) -> None:
    """End a pause.

    Raises:
        PauseNotFoundError: there is none of this scope.
    """
    row = session.get(Pause, scope)
    if row is None:
        raise PauseNotFoundError(f"{scope_words(scope)} is not paused", scope=scope)
    session.delete(row)


def require_scope(scope: str) -> None:
    """Check that there is something of this name to pause.

    Raises:
        ValidationError: there is not.
    """
    allowed = [ALL, *KINDS]
    if scope not in allowed:
        raise ValidationError(
            f"scope must be one of {', '.join(allowed)}, not {scope!r}",
            field="scope",
            value=scope,
            allowed=", ".join(allowed),
        )


def scope_words(scope: str) -> str:
    """`the queue`, or `kind sample`."""
    return "the queue" if scope == ALL else f"kind {scope}"


def pause_view(row: Pause) -> PauseView:
    """A pause as callers see it."""
    return PauseView(
        scope=row.scope, reason=row.reason, paused_by=row.paused_by, paused_at=row.paused_at
    )
