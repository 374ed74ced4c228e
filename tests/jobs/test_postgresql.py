"""What is PostgreSQL's alone: sessions that are lost or stand still, zones, roles and limits."""

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError, OperationalError

from jobs import job_transitions, postgresql, transitions
from jobs.database import Database
from jobs.messages import Report, ReportStatus
from jobs.requests import SampleJob, SampleParams
from jobs.tables import Job, Shard

OTHERS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"


@pytest.fixture
def database_kind():
    return "postgresql"


@pytest.fixture
def database(database_url):
    database = Database(database_url)
    yield database
    database.close()


def ask(database, question):
    with database.read() as session:
        return session.execute(text(question)).scalar_one()


def test_a_url_without_a_driver_means_psycopg(database_url):
    database = Database(database_url.replace("postgresql+psycopg://", "postgresql://"))
    assert database.is_ready()
    database.close()


def test_without_its_driver_it_says_what_to_install(monkeypatch, database_url):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ValueError, match=r"pip install 'darkroom\[postgresql\]'"):
        Database(database_url)


def test_sessions_have_limits_and_what_the_url_says_goes_first(database, database_url):
    assert ask(database, "SHOW statement_timeout") == "30s"
    assert ask(database, "SHOW lock_timeout") == "10s"
    assert ask(database, "SHOW tcp_keepalives_idle") == "5"
    assert ask(database, "SHOW application_name") == "darkroom"

    own = "?options=-c%20statement_timeout%3D7s&application_name=mine"
    other = Database(database_url + own)
    assert ask(other, "SHOW statement_timeout") == "7s"
    assert ask(other, "SHOW lock_timeout") == "10s"
    assert ask(other, "SHOW application_name") == "mine"
    other.close()


def test_connections_that_were_dropped_are_made_anew(database, postgres_server):
    with database.write() as writing, database.read() as reading:
        writing.execute(select(1))
        reading.execute(select(1))
    postgres_server.execute(OTHERS, [database.url.database])

    with database.write() as writing, database.read() as reading:
        assert writing.scalar(select(1)) == reading.scalar(select(1)) == 1


def test_a_server_that_crashed_is_used_again_once_it_is_back(database, postgres_server, caplog):
    assert database.is_ready()
    postgres_server.stop(signal.SIGQUIT)
    try:
        assert not database.is_ready()
    finally:
        postgres_server.start()

    assert database.is_ready()


def test_a_writer_that_stands_still_holds_nobody_up_for_long(database, monkeypatch):
    turn = postgresql.TAKE_TURN.replace(f"'{postgresql.IDLE_WRITER_SECONDS}s'", "'300ms'")
    monkeypatch.setattr(postgresql, "TAKE_TURN", turn)
    with pytest.raises(DBAPIError, match="idle-in"), database.write() as stopped:  # noqa: PT012
        started = time.monotonic()
        stopped.execute(select(1))
        with database.write() as writing:
            writing.execute(select(1))
        assert 0.2 < time.monotonic() - started < 20
        stopped.execute(select(1))


def test_who_waits_too_long_for_a_writer_gives_up(database, database_url):
    hasty = Database(database_url + "?options=-c%20lock_timeout%3D200ms")
    with database.write() as writing:
        writing.execute(select(1))
        with pytest.raises(OperationalError, match="lock timeout"), hasty.write() as waiting:
            waiting.execute(select(1))
    hasty.close()


def test_a_reader_cannot_write(database):
    with pytest.raises(DBAPIError, match="read-only"), database.read() as session:
        session.execute(text("DELETE FROM jobs"))


def test_a_reader_waits_for_no_writer(database):
    with database.write() as writing, database.read() as reading:
        writing.execute(select(1))
        assert reading.scalar(select(1)) == 1


def test_the_zone_of_the_server_changes_no_time(service, database, postgres_server):
    assert postgres_server.execute("SHOW timezone") == [("Asia/Kathmandu",)]
    request = SampleJob(kind="sample", params=SampleParams(count=1, num_inference_steps=1))
    job_id = service.submit(request, "ada").job.id
    report = Report(
        worker="a",
        job_id=job_id,
        shard_id=f"{job_id}-0",
        attempt=1,
        seq=1,
        status=ReportStatus.LOST,
        running=[],
    )
    with database.write() as session:
        assert transitions.send_anew(session, report.shard_id, 0, "a")
        assert transitions.record_report(session, report, max_losses=1).counts
        job_transitions.refresh_job(session, job_id)

    with database.read() as session:
        job, shard = session.get_one(Job, job_id), session.get_one(Shard, report.shard_id)
        times = [job.created_at, job.started_at, job.finished_at, shard.started_at]
        times.append(shard.finished_at)
    for each in times:
        assert each.tzinfo is UTC
        assert abs(datetime.now(UTC) - each) < timedelta(minutes=1)


def test_numbers_beyond_32_bits_are_kept(database, service):
    request = SampleJob(kind="sample", params=SampleParams(count=1, num_inference_steps=1))
    shard_id = f"{service.submit(request, 'ada').job.id}-0"
    with database.write() as session:
        session.get_one(Shard, shard_id).preview_version = 3000 * 1_000_000

    with database.read() as session:
        assert session.get_one(Shard, shard_id).preview_version == 3_000_000_000


def test_pages_follow_each_other_whatever_the_order_of_texts(service, database):
    moment = datetime.now(UTC)
    request = SampleJob(kind="sample", params=SampleParams(count=1, num_inference_steps=1))
    ids = [service.submit(request, "ada").job.id for _ in range(6)]
    with database.write() as session:
        for job_id in ids:
            session.get_one(Job, job_id).created_at = moment

    seen, cursor = [], None
    while not seen or cursor:
        page = service.list_jobs(limit=1, cursor=cursor)
        seen += [job.id for job in page.items]
        cursor = page.next_cursor

    assert sorted(seen) == sorted(ids)


def test_two_migrations_at_once_are_one_after_the_other(postgres_server):
    with postgres_server.database("migrated_twice") as url:
        migrations = [
            subprocess.Popen(
                [sys.executable, "-m", "darkroom", "migrate"],
                env=os.environ | {"DARKROOM_DATABASE_URL": url},
            )
            for _ in range(2)
        ]
        assert [migration.wait(60) for migration in migrations] == [0, 0]
        database = Database(url)
        assert database.is_ready()
        database.close()
