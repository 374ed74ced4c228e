"""A SQLite backup put into PostgreSQL: every row as it was, and the system goes on there."""

import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import SQLAlchemyError

from darkroom.schema import migrate
from jobs.artifacts import ArtifactStore
from jobs.backup import BackupError, make_backup
from jobs.carrying import ROWS_AT_ONCE
from jobs.columns import Base
from jobs.database import Database
from jobs.facts import keep_fact
from jobs.requests import AssignmentRequest
from jobs.restoring import restore_backup
from jobs.service import JobService
from jobs.settings import WebSettings
from jobs.streams import WebStreams
from jobs.tables import Job, Timing, Usage
from tests.postgresql_server import PostgresServer


def say_nothing(_words: str) -> None:
    pass


@pytest.fixture
def database_kind() -> str:
    return "sqlite"  # what is carried; PostgreSQL is where it goes


@pytest.fixture
def larger(postgres_server: PostgresServer) -> Iterator[Database]:
    """An empty PostgreSQL database."""
    with postgres_server.database(f"test_{secrets.token_hex(4)}") as url:
        database = Database(url)
        yield database
        database.close()


@pytest.fixture
def backup(service: JobService, database: Database, tmp_path) -> ArtifactStore:
    """Of a SQLite system with rows in many tables, more of some than are carried at once."""
    service.submit_assignment(
        AssignmentRequest(name="Größe 1 \N{EM DASH} ours", seed=2**64 - 1), "ada"
    )
    service.pause_queue("all", "new weights", "ada")
    with database.write() as session:
        keep_fact(session, "store", {"id": "ours"})
        session.add(
            Usage(
                submitter="ada",
                device_seconds=1.5,
                updated_at=session.scalar(select(Job.created_at).limit(1)),
            )
        )
        for number in range(ROWS_AT_ONCE + 5):
            session.add(
                Timing(kind="sample", device="cpu", total=2**40 + number, unit="steps", seconds=0.1)
            )
        session.flush()
        session.execute(text("DELETE FROM timings WHERE id < 3"))  # numbers do not begin at 1
    kept = ArtifactStore(str(tmp_path / "kept"))
    make_backup(database, ArtifactStore(service._artifacts.url), kept, say_nothing)
    return kept


def rows_of(database: Database) -> dict[str, list[Any]]:
    """All rows by table; but numbers that the database gives, and what a restore changes."""
    changed = {"attempt"}
    with database.read() as session:
        return {
            table.name: [
                tuple(row)
                for row in session.execute(
                    select(
                        *(
                            column
                            for column in table.columns
                            if column is not table.autoincrement_column
                            and column.name not in changed
                        )
                    ).order_by(*table.primary_key.columns)
                )
            ]
            for table in Base.metadata.sorted_tables
            if table.name not in ("workers", "facts")
        }


def test_every_row_is_carried_and_the_system_goes_on(
    database, larger, backup, web_settings: WebSettings, tmp_path
):
    store = ArtifactStore(str(tmp_path / "new-store"))

    restore_backup(backup, larger, store, migrate, say_nothing)

    carried = rows_of(larger)
    assert carried == rows_of(database)
    assert {name for name, rows in carried.items() if rows} >= {
        *("jobs", "job_parents", "shards", "checkpoints", "pauses", "usages", "timings"),
    }
    service = JobService(larger, store, WebStreams(web_settings.redis_url), 1)
    again = service.submit_assignment(AssignmentRequest(), "ada")
    with larger.write() as session:
        session.add(Timing(kind="sample", device="cpu", total=1, unit="steps", seconds=0.1))
        newest = session.scalars(select(Timing).order_by(Timing.id.desc()).limit(1)).one()
        assert newest.total == 1
        assert session.get(Job, again.jobs[0].id)


def test_a_migrated_database_without_rows_takes_it_and_one_with_rows_does_not(
    larger, backup, tmp_path
):
    migrate(larger.url.render_as_string(hide_password=False))
    store = ArtifactStore(str(tmp_path / "new-store"))

    restore_backup(backup, larger, store, migrate, say_nothing)

    with pytest.raises(BackupError, match="the database is not empty"):
        restore_backup(backup, larger, ArtifactStore("memory://other"), migrate, say_nothing)


def test_a_row_that_postgresql_refuses_leaves_none_and_can_be_tried_again(
    service, database, larger, tmp_path
):
    artifacts = ArtifactStore(service._artifacts.url)
    long = ArtifactStore(str(tmp_path / "long"))
    with database.write() as session:
        keep_fact(session, "x" * 70, {})  # SQLite minds no length
    make_backup(database, artifacts, long, say_nothing)
    store = ArtifactStore(str(tmp_path / "new-store"))

    with pytest.raises(SQLAlchemyError, match="too long"):
        restore_backup(long, larger, store, migrate, say_nothing)

    assert not any(rows_of(larger).values())
    with database.write() as session:
        session.execute(text("DELETE FROM facts WHERE length(name) = 70"))
    kept = ArtifactStore(str(tmp_path / "kept"))
    make_backup(database, artifacts, kept, say_nothing)
    restore_backup(kept, larger, store, migrate, say_nothing)
    assert rows_of(larger) == rows_of(database)


def test_postgresql_is_not_carried_into_a_file(postgres_server, service, tmp_path):
    with postgres_server.database(f"test_{secrets.token_hex(4)}", "migrated") as url:
        database = Database(url)
        kept = ArtifactStore(str(tmp_path / "kept"))
        make_backup(database, ArtifactStore(service._artifacts.url), kept, say_nothing)
        database.close()
    small = Database(f"sqlite:///{tmp_path}/small.sqlite")

    with pytest.raises(BackupError, match="names a sqlite database"):
        restore_backup(kept, small, ArtifactStore("memory://none"), migrate, say_nothing)
