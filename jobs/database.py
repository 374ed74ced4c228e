"""Transactions on the one database, be it SQLite or PostgreSQL."""

import contextlib
import logging
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import event, make_url, text
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Session

from jobs.database_url import backend_of
from jobs.postgresql import READER_OPTIONS, postgresql_engine
from jobs.sqlite import sqlite_engine

log = logging.getLogger(__name__)


class _Writer(Session):
    """A session that keeps what it has read: asked for by its id again, it is not read again."""


@event.listens_for(_Writer, "loaded_as_persistent")
def _keep(session: Session, instance: object) -> None:
    session.info.setdefault("kept", []).append(instance)


class Database:
    """Transactions on the one database.

    Writers take turns, on SQLite and on PostgreSQL alike: `write()` takes the write lock with its
    first statement, so that what a transaction has read is still so when it writes. `read()` sees
    one moment and never takes the lock.
    """

    def __init__(self, url: str) -> None:
        """Open the database at the SQLAlchemy `url`; the folder of a SQLite file is made.

        Raises:
            ValueError: it is of another database, or its driver is not installed.
        """
        backend = backend_of(url)
        self.url = make_url(url)
        if backend == "sqlite":
            self.engine = sqlite_engine(self.url)
            # Connections of their own: writers that wait for the lock leave some to readers.
            self._reader = sqlite_engine(self.url).execution_options(is_reader=True)
        else:
            self.engine = postgresql_engine(self.url)
            self._reader = self.engine.execution_options(is_reader=True, **READER_OPTIONS)

    @contextlib.contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction that commits at its end, or rolls back on an exception."""
        with _Writer(self.engine) as session, session.begin():
            yield session

    @contextlib.contextmanager
    def read(self) -> Iterator[Session]:
        """A short read transaction; nothing is written."""
        with Session(self._reader) as session:
            yield session

    def is_ready(self) -> bool:
        """Whether the database answers and is migrated."""
        try:
            with self.read() as session:
                session.execute(text("SELECT 1 FROM jobs LIMIT 1"))
        except Exception:  # whatever the driver says, it means: not ready
            log.exception("the database is not ready")
            return False
        return True

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()
        self._reader.dispose()


def changed(session: Session, statement: Any, given: Mapping[str, Any] | None = None) -> bool:
    """Run an UPDATE whose guard names one row; whether it held."""
    result: CursorResult[Any] = session.execute(statement, given)  # type: ignore[assignment]  # of an UPDATE
    return result.rowcount == 1
