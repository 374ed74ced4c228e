"""Engine and transactions: the one place that knows SQLite from PostgreSQL."""

import contextlib
import importlib
import logging
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.orm import Session

log = logging.getLogger(__name__)

BUSY_TIMEOUT_MS = 5000
# The WAL-reset bug can lose commits of two connections: fixed in 3.51.3, backported to these.
WAL_RESET_FIXED = (3, 51, 3)
WAL_RESET_BACKPORTS = {(3, 44): 6, (3, 50): 7}


def sqlite_module() -> ModuleType:
    """The newest SQLite at hand: the `pysqlite3` wheel (where it has one), else Python's own."""
    try:
        return importlib.import_module("pysqlite3.dbapi2")
    except ImportError:
        return importlib.import_module("sqlite3.dbapi2")


def has_wal_reset_bug(version: tuple[int, int, int]) -> bool:
    """Whether this SQLite may lose commits in WAL mode (sqlite.org/wal.html, "WAL-reset bug")."""
    backport = WAL_RESET_BACKPORTS.get(version[:2])
    return version < WAL_RESET_FIXED and (backport is None or version[2] < backport)


class Database:
    """Transactions on the one database.

    `write()` takes SQLite's write lock with its first statement (BEGIN IMMEDIATE), so that a
    transaction that reads and then writes never fails halfway; `read()` never takes it.
    """

    def __init__(self, url: str) -> None:
        """Open the database at the SQLAlchemy `url`; the folder of a SQLite file is made."""
        self.url = make_url(url)
        if self.url.get_backend_name() != "sqlite":
            raise ValueError(f"database_url must be a sqlite:/// URL, not {url!r}")
        self.engine = self._sqlite_engine()
        self._reader = self.engine.execution_options(is_reader=True)

    def _sqlite_engine(self) -> Engine:
        module = sqlite_module()
        version = module.sqlite_version_info
        journal_mode = "WAL"
        if has_wal_reset_bug(version):
            journal_mode = "TRUNCATE"
            log.warning(
                "SQLite %s has the WAL-reset bug: using journal_mode=TRUNCATE (slower); "
                "install pysqlite3 or SQLite 3.51.3",
                module.sqlite_version,
            )
        if self.url.database and self.url.database != ":memory:":
            Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(self.url, module=module)
        pragmas = [
            f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}",
            f"PRAGMA journal_mode={journal_mode}",
            "PRAGMA synchronous=FULL",  # an accepted job survives a power loss
            "PRAGMA foreign_keys=ON",
            "PRAGMA journal_size_limit=67108864",
        ]

        @event.listens_for(engine, "connect")
        def _configure(connection: Any, _record: Any) -> None:
            connection.isolation_level = None  # the driver emits no BEGIN of its own
            for pragma in pragmas:
                connection.execute(pragma)

        @event.listens_for(engine, "begin")
        def _begin(connection: Connection) -> None:
            is_reader = connection.get_execution_options().get("is_reader", False)
            connection.exec_driver_sql("BEGIN" if is_reader else "BEGIN IMMEDIATE")

        return engine

    @contextlib.contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction that commits at its end, or rolls back on an exception."""
        with Session(self.engine) as session, session.begin():
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
