"""Faults of disk and database as errors that a caller can act on: 503, with a reason.

All of them pass: nothing of the request was kept, and the same request succeeds once they are over.
"""

import errno

from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from jobs.errors import (
    ArtifactStoreError,
    DatabaseBusyError,
    DatabaseUnavailableError,
    JobError,
    StorageFullError,
)

FULL = (errno.ENOSPC, errno.EDQUOT)
# Of SQLite's own messages, and of PostgreSQL's classes of states.
FULL_WORDS = ("database or disk is full",)
FULL_STATES = ("53100",)
BUSY_WORDS = ("database is locked", "database table is locked", "database schema is locked")
BUSY_STATES = ("40001", "40P01", "55P03", "53300", "57014")


def as_job_error(error: Exception) -> JobError | None:
    """What a fault of disk or database is to a caller; None for every other error."""
    if isinstance(error, ArtifactStoreError):
        cause = error.__cause__
        is_full = isinstance(cause, OSError) and cause.errno in FULL
        return _full("the artifact store") if is_full else None
    if isinstance(error, OSError):
        return _full("this computer") if error.errno in FULL else None
    if isinstance(error, PoolTimeoutError):
        return _busy()
    if isinstance(error, SQLAlchemyError):
        return _of_database(error)
    return None


def _of_database(error: SQLAlchemyError) -> JobError | None:
    if not isinstance(error, DBAPIError):
        return None
    state = str(getattr(error.orig, "sqlstate", None) or "")
    message = str(error.orig)
    if state in FULL_STATES or message in FULL_WORDS:
        return _full("the database")
    if state in BUSY_STATES or message in BUSY_WORDS:
        return _busy()
    if isinstance(error, OperationalError) or error.connection_invalidated:
        return DatabaseUnavailableError(
            f"the database does not answer ({message.splitlines()[0] if message else 'no reason'})"
            "; nothing of this request was kept: send it again"
        )
    return None


def _full(what: str) -> StorageFullError:
    return StorageFullError(
        f"the disk of {what} is full; nothing of this request was kept: make room, or send it "
        "again later"
    )


def _busy() -> DatabaseBusyError:
    return DatabaseBusyError(
        "another program has locked the database for some time; nothing of this request was kept: "
        "send it again"
    )
