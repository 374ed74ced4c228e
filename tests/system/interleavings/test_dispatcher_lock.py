"""Dispatchers on PostgreSQL: one at a time, also when one is killed, cut off, or all lose it."""

import signal
import time

import pytest

from jobs.postgresql import DISPATCHER_LOCK

pytestmark = pytest.mark.chaos

HOLDERS = (
    "SELECT l.pid FROM pg_locks l JOIN pg_database d ON d.oid = l.database"
    " WHERE l.locktype = 'advisory' AND l.granted AND l.objid = %s AND d.datname = %s"
)


@pytest.fixture
def database_kind():
    return "postgresql"


@pytest.fixture
def holders(system, postgres_server):
    """Gives the sessions that hold the dispatcher's lock."""
    name = system.settings.database_url.rpartition("/")[2]
    key = DISPATCHER_LOCK % 2**32
    return lambda: [pid for (pid,) in postgres_server.execute(HOLDERS, [key, name])]


@pytest.fixture
def two(system, wait_for):
    """A dispatcher that works, and one that waits."""
    first = system.start_dispatcher(poll_seconds=0.2)
    wait_for(lambda: "dispatching" in system.logs())
    second = system.start_dispatcher(poll_seconds=0.2)
    wait_for(lambda: "another dispatcher runs: waiting" in system.logs())
    return first, second


def submitted_and_sent(system, worker, wait_for):
    """Whether a new job is sent to this worker, by whoever dispatches."""
    job = system.submit(count=1, num_inference_steps=1)
    worker.beat()
    message = wait_for(worker.take_message)
    assert (message.job_id, message.attempt) == (job.id, 1)
    return job


def test_the_second_takes_over_within_seconds_of_a_kill(
    system, two, holders, scripted_worker, wait_for
):
    (before,) = holders()
    two[0].kill()
    started = time.monotonic()

    wait_for(lambda: [pid for pid in holders() if pid != before], 30, "for the second")

    assert time.monotonic() - started < 20
    submitted_and_sent(system, scripted_worker("a"), wait_for)


def test_who_loses_the_lock_stops_and_waits_for_it(
    system, two, holders, postgres_server, scripted_worker, wait_for
):
    (before,) = holders()
    postgres_server.execute("SELECT pg_terminate_backend(%s)", [before])

    wait_for(lambda: "the lock of the database is lost" in system.logs())
    wait_for(lambda: [pid for pid in holders() if pid != before])  # it says so before it lets go
    submitted_and_sent(system, scripted_worker("a"), wait_for)
    assert len(holders()) == 1


def test_dispatchers_go_on_when_a_server_that_crashed_is_back(
    system, two, holders, postgres_server, scripted_worker, wait_for
):
    postgres_server.stop(signal.SIGQUIT)
    try:
        wait_for(lambda: "the database refused; trying again" in system.logs(), 20)
    finally:
        postgres_server.start()

    wait_for(holders, 20, "for a dispatcher")
    submitted_and_sent(system, scripted_worker("a"), wait_for)
    assert len(holders()) == 1
    assert [program.process.poll() for program in two] == [None, None]
