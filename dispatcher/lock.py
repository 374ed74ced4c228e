"""One dispatcher at a time: a file beside SQLite, an advisory lock on PostgreSQL."""

import contextlib
from pathlib import Path
from typing import Protocol

from filelock import FileLock, Timeout
from sqlalchemy import Connection, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from jobs.database_url import backend_of
from jobs.postgresql import DISPATCHER_LOCK, postgresql_engine


class DispatcherLock(Protocol):
    """What only one dispatcher of a database can hold."""

    def try_acquire(self) -> bool:
        """Take it, unless another holds it.

        Raises:
            SQLAlchemyError: the database does not answer.
        """

    def is_held(self) -> bool:
        """Whether it is still ours; once it is lost it must be acquired anew."""

    def release(self) -> None:
        """Let another have it."""


def lock_of(database_url: str) -> DispatcherLock:
    """The lock of this database."""
    if backend_of(database_url) == "postgresql":
        return AdvisoryLock(database_url)
    return LockFile(Path(f"{make_url(database_url).database}.dispatcher.lock"))


class LockFile:
    """A file that the system unlocks when its process ends, however it ends."""

    def __init__(self, path: Path) -> None:
        """Lock the file at `path`, whose folder is made."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(path)

    def try_acquire(self) -> bool:
        """Take it, unless another process holds it."""
        try:
            self._lock.acquire(blocking=False)
        except Timeout:
            return False
        return True

    def is_held(self) -> bool:
        """As long as the process lives."""
        return self._lock.is_locked

    def release(self) -> None:
        """Let another have it."""
        self._lock.release(force=True)  # however often it was taken


class AdvisoryLock:
    """A lock of a PostgreSQL session, which the server frees when that session ends.

    The session has a connection of its own. Should the connection be lost, so is the lock.
    """

    def __init__(self, database_url: str) -> None:
        """Lock in the database at this URL."""
        self._engine = postgresql_engine(make_url(database_url)).execution_options(
            is_reader=True, isolation_level="AUTOCOMMIT"
        )
        self._connection: Connection | None = None
        self._has_taken = False

    def try_acquire(self) -> bool:
        """Take it, unless another session holds it.

        Raises:
            SQLAlchemyError: the database does not answer.
        """
        if self._connection is None:
            self._connection = self._engine.connect()
            self._connection.detach()  # closing it then ends the session
        try:
            take = text(f"SELECT pg_try_advisory_lock({DISPATCHER_LOCK})")
            self._has_taken = bool(self._connection.scalar(take))
        except SQLAlchemyError:
            self.release()
            raise
        return self._has_taken

    def is_held(self) -> bool:
        """Whether the session that took it still lives."""
        if self._connection is None or not self._has_taken:
            return False
        try:
            self._connection.execute(text("SELECT 1"))
        except SQLAlchemyError:
            self.release()
            return False
        return True

    def release(self) -> None:
        """End the session, and its lock with it."""
        connection, self._connection, self._has_taken = self._connection, None, False
        if connection is not None:
            with contextlib.suppress(SQLAlchemyError):  # it may have ended by itself
                connection.close()
