import logging
import threading
import time

import pytest
from sqlalchemy import text

from jobs import database as database_module
from jobs.database import Database, has_wal_reset_bug

WAIT_SECONDS = 20.0


@pytest.fixture
def counter(tmp_path):
    """A database with one number in it."""
    database = Database(f"sqlite:///{tmp_path}/new/counter.sqlite")
    with database.write() as session:
        session.execute(text("CREATE TABLE counter (value INTEGER)"))
        session.execute(text("INSERT INTO counter VALUES (0)"))
    yield database
    database.close()


def value_of(session) -> int:
    return session.execute(text("SELECT value FROM counter")).scalar_one()


@pytest.mark.parametrize(
    ("version", "has_bug"),
    [
        ((3, 7, 0), True),
        ((3, 40, 1), True),
        ((3, 44, 5), True),
        ((3, 44, 6), False),
        ((3, 45, 0), True),
        ((3, 50, 6), True),
        ((3, 50, 7), False),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
        ((3, 53, 4), False),
        ((4, 0, 0), False),
    ],
)
def test_the_versions_with_the_wal_reset_bug_are_known(version, has_bug):
    assert has_wal_reset_bug(version) is has_bug


def journal_mode(database) -> str:
    with database.read() as session:
        return session.execute(text("PRAGMA journal_mode")).scalar_one()


def test_a_sound_sqlite_writes_ahead_and_an_affected_one_does_not(
    tmp_path, monkeypatch, caplog, counter
):
    is_sound = not has_wal_reset_bug(database_module.sqlite_module().sqlite_version_info)
    assert journal_mode(counter) == ("wal" if is_sound else "truncate")

    monkeypatch.setattr(database_module, "WAL_RESET_FIXED", (99, 0, 0))
    monkeypatch.setattr(database_module, "WAL_RESET_BACKPORTS", {})
    with caplog.at_level(logging.WARNING):
        affected = Database(f"sqlite:///{tmp_path}/affected.sqlite")
    assert journal_mode(affected) == "truncate"
    assert "WAL-reset bug" in caplog.text
    affected.close()


def test_only_sqlite_is_known():
    with pytest.raises(ValueError, match="postgresql"):
        Database("postgresql://localhost/darkroom")


def test_a_second_writer_waits_for_the_first(counter):
    has_begun, may_end = threading.Event(), threading.Event()
    order = []

    def write_first() -> None:
        with counter.write() as session:
            value = value_of(session)
            has_begun.set()
            assert may_end.wait(WAIT_SECONDS)
            session.execute(text("UPDATE counter SET value = :v"), {"v": value + 1})
            order.append("first")

    def write_second() -> None:
        with counter.write() as session:
            value = value_of(session)
            order.append("second")
            session.execute(text("UPDATE counter SET value = :v"), {"v": value + 1})

    first = threading.Thread(target=write_first)
    first.start()
    assert has_begun.wait(WAIT_SECONDS)
    second = threading.Thread(target=write_second)
    second.start()
    time.sleep(0.3)
    assert order == []
    may_end.set()
    first.join(WAIT_SECONDS)
    second.join(WAIT_SECONDS)

    assert order == ["first", "second"]
    with counter.read() as session:
        assert value_of(session) == 2


def test_many_writers_lose_no_count(counter):
    def count() -> None:
        for _ in range(10):
            with counter.write() as session:
                value = value_of(session)
                session.execute(text("UPDATE counter SET value = :v"), {"v": value + 1})

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_SECONDS)

    with counter.read() as session:
        assert value_of(session) == 40


def test_a_reader_sees_one_moment(counter):
    if journal_mode(counter) != "wal":
        pytest.skip("without write-ahead logging a reader makes the writer wait instead")
    with counter.read() as reading:
        assert value_of(reading) == 0
        with counter.write() as session:
            session.execute(text("UPDATE counter SET value = 7"))
        assert value_of(reading) == 0

    with counter.read() as session:
        assert value_of(session) == 7


def test_a_failed_transaction_leaves_nothing(counter):
    with pytest.raises(RuntimeError), counter.write() as session:  # noqa: PT012
        session.execute(text("UPDATE counter SET value = 9"))
        raise RuntimeError("anything")

    with counter.read() as session:
        assert value_of(session) == 0


def test_a_database_is_ready_when_it_is_migrated(counter, database_url, caplog):
    migrated = Database(database_url)

    assert migrated.is_ready()
    assert not counter.is_ready()
    assert "not ready" in caplog.text
    migrated.close()
