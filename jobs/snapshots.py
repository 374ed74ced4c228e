"""A consistent copy of a database that is in use, and the empty place that it is put back into."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import inspect, text
from sqlalchemy.engine import URL
from sqlalchemy.orm import Session

from jobs.database import Database

SQLITE_FILE, POSTGRESQL_FILE = "darkroom.sqlite", "darkroom.pgdump"
POSTGRESQL = "postgresql"


class SnapshotError(Exception):
    """The database cannot be copied, or not be put back."""


def backend(database: Database) -> str:
    """`sqlite` or `postgresql`."""
    return database.engine.dialect.name


@contextlib.contextmanager
def snapshot(database: Database, folder: Path) -> Iterator[tuple[Session, Path]]:
    """A copy of the database as of one moment, in `folder`, and a session that sees that moment.

    Nobody who writes waits for it, except with SQLite's older journal.

    Raises:
        SnapshotError: there is no `pg_dump`, or it failed.
    """
    if backend(database) == POSTGRESQL:
        with _postgresql_snapshot(database, folder / POSTGRESQL_FILE) as session:
            yield session, folder / POSTGRESQL_FILE
        return
    path = folder / SQLITE_FILE
    with contextlib.closing(database.engine.raw_connection()) as connection:
        connection.cursor().execute("VACUUM INTO ?", (str(path),))
    copy = Database(f"sqlite:///{path}")
    try:
        with copy.write() as session:
            yield session, path
    finally:
        copy.close()


@contextlib.contextmanager
def _postgresql_snapshot(database: Database, path: Path) -> Iterator[Session]:
    program = _program("pg_dump")
    with database.read() as session:
        name = session.execute(text("SELECT pg_export_snapshot()")).scalar_one()
        _run(
            database.url,
            [program, "--format=custom", "--no-owner", f"--snapshot={name}", f"--file={path}"],
        )
        yield session


def is_empty(database: Database) -> bool:
    """Whether the database holds no table yet."""
    return not inspect(database.engine).get_table_names()


def put_back(database: Database, copy: Path) -> None:
    """Put the copy into an empty database.

    Raises:
        SnapshotError: there is no `pg_restore`, or it failed.
    """
    if backend(database) == POSTGRESQL:
        program = _program("pg_restore")
        command = [program, "--no-owner", "--single-transaction", "--exit-on-error", str(copy)]
        _run(database.url, command)
        return
    assert database.url.database is not None
    database.close()
    target = Path(database.url.database)
    partial = target.with_name(f"{target.name}.partial")
    shutil.copyfile(copy, partial)
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    for name in (f"{target}-wal", f"{target}-shm"):  # of the empty file that was looked at
        Path(name).unlink(missing_ok=True)
    os.replace(partial, target)


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise SnapshotError(
            f"there is no {name} on PATH: install PostgreSQL's client programs, of the server's "
            "version or newer"
        )
    return found


def _run(url: URL, command: list[str]) -> None:
    """Run one of PostgreSQL's programs on this database; the password is not on its command line.

    Raises:
        SnapshotError: it failed.
    """
    # What libpq does not know of SQLAlchemy's URL is its driver.
    plain = url.set(drivername=POSTGRESQL, password=None).render_as_string(hide_password=False)
    environment = dict(os.environ)
    if url.password is not None:
        environment["PGPASSWORD"] = str(url.password)
    done = subprocess.run(
        [*command, f"--dbname={plain}"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SnapshotError(f"{Path(command[0]).name} failed: {done.stderr.strip()}")
