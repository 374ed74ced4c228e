"""SQLite: its version's bugs, its pragmas, and one writer at a time."""

import importlib
import logging
from pathlib import Path
from types import ModuleType
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event

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


def sqlite_engine(url: URL) -> Engine:
    """Connections to the file, whose folder is made.

    A transaction begins with the write lock, unless it has the execution option `is_reader`.
    """
    module = sqlite_module()
    journal_mode = "WAL"
    if has_wal_reset_bug(module.sqlite_version_info):
        journal_mode = "TRUNCATE"
        log.warning(
            "SQLite %s has the WAL-reset bug: using journal_mode=TRUNCATE (slower); "
            "install pysqlite3 or SQLite 3.51.3",
            module.sqlite_version,
        )
    if url.database and url.database != ":memory:":
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, module=module)
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
