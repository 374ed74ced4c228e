"""A SQLite backup put into PostgreSQL: every row as it was, and the system goes on there."""

import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select, text

from darkroom.schema import migrate
from jobs.artifacts import ArtifactStore
from jobs.backup import BackupError, make_backup
from jobs.carrying import ROWS_AT_ONCE
from jobs.columns import Base
from jobs.database import Database
from jobs.facts import keep_fact
from jobs.requests import AssignmentRequest
from jobs.restoring import NEW_ATTEMPTS, restore_backup
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
    """All rows by table, but what a restore changes, and numbers that the database gives."""
    with database.read() as session:
        rows = {}
        for table in Base.metadata.sorted_tables:
            columns = [c for c in table.columns if c is not table.autoincrement_column]
            found = session.execute(select(*columns).order_by(*table.primary_key.columns))
            rows[table.name] = [dict(row) for row in found.mappings()]
    rows["facts"] = [each for each in rows["facts"] if each["name"] not in ("backup", "dispatcher")]
    return rows


def test_every_row_is_carried_and_the_system_goes_on(
    database, larger, backup, web_settings: WebSettings, tmp_path
):
    store = ArtifactStore(str(tmp_path / "new-store"))

    restore_backup(backup, larger, store, migrate, say_nothing)

    carried, before = rows_of(larger), rows_of(database)
    for shard in before["shards"]:
        shard["attempt"] += NEW_ATTEMPTS
    assert carried == before
    assert {name for name, rows in carried.items() if rows} >= {
        *("jobs", "job_parents", "shards", "checkpoints", "pauses", "usages", "timings", "facts"),
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
    service, database, larger, backup, tmp_path
):
    artifacts, store = ArtifactStore(service._artifacts.url), ArtifactStore(f"{tmp_path}/new-store")
    with database.write() as session:  # SQLite minds no length; this table comes near the end
        session.add(Timing(kind="x" * 40, device="cpu", total=1, unit="steps", seconds=0.1))
    long, short = ArtifactStore(f"{tmp_path}/long"), ArtifactStore(f"{tmp_path}/short")
    make_backup(database, artifacts, long, say_nothing)

    with pytest.raises(BackupError, match="table timings: a row is refused, none"):
        restore_backup(long, larger, store, migrate, say_nothing)

    assert not any(rows_of(larger).values())
    with database.write() as session:
        session.execute(text("DELETE FROM timings WHERE length(kind) = 40"))
    make_backup(database, artifacts, short, say_nothing)
    restore_backup(short, larger, store, migrate, say_nothing)
    assert len(rows_of(larger)["timings"]) == len(rows_of(database)["timings"]) > ROWS_AT_ONCE


def test_what_a_program_has_written_meanwhile_is_not_mixed_with_what_is_carried(
    database, larger, backup, tmp_path
):
    url = larger.url.render_as_string(hide_password=False)

    def migrate_and_use(of: str) -> None:
        migrate(of)
        if of == url:
            with larger.write() as session:
                keep_fact(session, "store", {"id": "another"})

    store = ArtifactStore(str(tmp_path / "new-store"))
    with pytest.raises(BackupError, match="not empty: its table facts has rows"):
        restore_backup(backup, larger, store, migrate_and_use, say_nothing)

    assert [name for name, rows in rows_of(larger).items() if rows] == ["facts"]


def test_postgresql_is_not_carried_into_a_file(postgres_server, service, tmp_path):
    with postgres_server.database(f"test_{secrets.token_hex(4)}", "migrated") as url:
        database = Database(url)
        kept = ArtifactStore(str(tmp_path / "kept"))
        make_backup(database, ArtifactStore(service._artifacts.url), kept, say_nothing)
        database.close()
    small = Database(f"sqlite:///{tmp_path}/small.sqlite")

    with pytest.raises(BackupError, match="names a sqlite database"):
        restore_backup(kept, small, ArtifactStore("memory://none"), migrate, say_nothing)
