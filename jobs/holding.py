"""A hold on all files: while a backup copies them, none is deleted.

Whoever holds says so every few seconds. A hold that was not renewed for a minute is over, so that a
killed backup holds nothing for long.
"""

import contextlib
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from jobs.database import Database
from jobs.facts import BACKUP, drop_fact, keep_fact, read_fact

RENEW_SECONDS = 10.0
OVER_AFTER = timedelta(seconds=60)


class FilesHeldError(Exception):
    """All files are held already."""


def are_files_held(session: Session) -> bool:
    """Whether no file may be deleted now."""
    fact = read_fact(session, BACKUP)
    if fact is None:
        return False
    return abs(datetime.now(UTC) - datetime.fromisoformat(fact["said_at"])) < OVER_AFTER


@contextmanager
def hold_files(database: Database) -> Iterator[None]:
    """Within, no file that a row named at the beginning is deleted.

    Raises:
        FilesHeldError: somebody else holds them, and would let go of them for both.
    """
    holder = secrets.token_hex(8)
    with database.write() as session:
        if are_files_held(session):
            raise FilesHeldError(
                "another backup is being made, or was broken off less than a minute ago: try again "
                "when it is over"
            )
        keep_fact(session, BACKUP, _hold(holder))
    has_ended = threading.Event()

    def renew() -> None:
        while not has_ended.wait(RENEW_SECONDS):
            try:
                with database.write() as session:
                    if _is_of(session, holder):
                        keep_fact(session, BACKUP, _hold(holder))
            except SQLAlchemyError:  # locked for a moment: the hold lasts longer than that
                continue

    renewer = threading.Thread(target=renew, name="hold", daemon=True)
    renewer.start()
    try:
        yield
    finally:
        has_ended.set()
        renewer.join()
        # Refused, it ends by itself in a minute: what was held for is whole.
        with contextlib.suppress(SQLAlchemyError), database.write() as session:
            if _is_of(session, holder):
                drop_fact(session, BACKUP)


def _hold(holder: str) -> dict[str, str]:
    return {"said_at": datetime.now(UTC).isoformat(), "holder": holder}


def _is_of(session: Session, holder: str) -> bool:
    """Whether the hold is still this one; one that was not renewed in time may be another's."""
    fact = read_fact(session, BACKUP)
    return fact is not None and fact.get("holder") == holder
