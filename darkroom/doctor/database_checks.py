"""The database: reachable, migrated, whole, and not locked."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import make_url, text
from sqlalchemy.exc import SQLAlchemyError

import migrations
from darkroom.doctor.findings import Finding, ok, problem, warning
from jobs.artifacts import ArtifactStore
from jobs.database import Database
from jobs.readiness import ConditionWatch
from jobs.settings import DatabaseSettings

SLOW_SECONDS = 1.0
MIGRATE = "run `darkroom migrate`, with the other programs stopped"


@contextmanager
def opened(settings: DatabaseSettings) -> Iterator[Database]:
    """The database, which is not made where it is not there.

    Raises:
        FileNotFoundError: there is no such file.
    """
    url = make_url(settings.database_url)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        raise FileNotFoundError(f"there is no database {url.database}")
    database = Database(settings.database_url)
    try:
        yield database
    finally:
        database.close()


def check_database(settings: DatabaseSettings) -> Iterator[Finding]:
    """Whether every program can use it."""
    try:
        with opened(settings) as database:
            yield from _revision(database)
            yield _integrity(database)
            yield _lock(database, settings)
    except FileNotFoundError as error:
        yield problem(
            "database", str(error), f"name another in DARKROOM_DATABASE_URL, or {MIGRATE}"
        )
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", error)).strip().splitlines()[0]
        yield problem(
            "database", f"it does not answer: {reason}", "is it running, and the URL right?"
        )


def _revision(database: Database) -> Iterator[Finding]:
    with database.read() as session:
        now = MigrationContext.configure(session.connection()).get_current_revision()
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    newest = ScriptDirectory.from_config(config).get_current_head()
    if now == newest:
        yield ok("database", f"{database.url.render_as_string()} is up to date")
    else:
        yield problem("database", f"its schema is {now}, not {newest}", MIGRATE)


def _integrity(database: Database) -> Finding:
    if database.engine.dialect.name != "sqlite":
        return ok("database", "PostgreSQL checks its pages itself")
    began = time.monotonic()
    with database.read() as session:
        found = list(session.scalars(text("PRAGMA quick_check(3)")))
    if found == ["ok"]:
        return ok("database", f"every page is whole ({time.monotonic() - began:.1f} s)")
    return problem(
        "database",
        f"it is damaged: {'; '.join(found)}",
        "stop all programs, copy the file away, and restore the newest backup",
    )


def _lock(database: Database, settings: DatabaseSettings) -> Finding:
    began = time.monotonic()
    watch = ConditionWatch(database, ArtifactStore(settings.artifacts_url))
    condition = watch.of_database()
    seconds = time.monotonic() - began
    if condition.word == "database_busy":
        return problem(
            "database",
            "another program has locked it for seconds",
            "find who has the file open (`fuser` tells), and end it",
        )
    if condition.reason is not None:
        return problem("database", condition.reason, "make room, or see its log")
    if seconds > SLOW_SECONDS:
        return warning(
            "database",
            f"its lock was free only after {seconds:.1f} s",
            "a local disk is faster than a network folder, which SQLite must not lie on",
        )
    return ok("database", f"takes what is written (after {seconds * 1000:.0f} ms)")
