import threading
import time

import pytest
from sqlalchemy import text

from jobs.database import Database
from jobs.sqlite import has_wal_reset_bug, sqlite_module

pytestmark = [pytest.mark.both_databases, pytest.mark.usefixtures("patient_writers")]

WAIT_SECONDS = 60.0


@pytest.fixture
def counter(empty_database_url):
    """A database with one number in it."""
    database = Database(empty_database_url)
    with database.write() as session:
        session.execute(text("CREATE TABLE counter (value INTEGER)"))
        session.execute(text("INSERT INTO counter VALUES (0)"))
    yield database
    database.close()


def value_of(session) -> int:
    return session.execute(text("SELECT value FROM counter")).scalar_one()


@pytest.mark.parametrize(
    "url",
    ["mysql://localhost/x", "postgresql+psycopg2://localhost/x", "postgres://h/x", "x.sqlite", ""],
)
def test_another_database_is_refused_and_the_allowed_ones_are_named(url):
    with pytest.raises(ValueError, match=r"sqlite:///FILE or postgresql\+psycopg://"):
        Database(url)


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
    if counter.url.get_backend_name() == "sqlite" and has_wal_reset_bug(
        sqlite_module().sqlite_version_info
    ):
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
