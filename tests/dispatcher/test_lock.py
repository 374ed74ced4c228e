import time

import pytest
from sqlalchemy.exc import OperationalError

from dispatcher.lock import lock_of
from jobs.postgresql import DISPATCHER_LOCK

HOLDERS = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND objid = %s"


@pytest.fixture
def locks(database_url):
    locks = [lock_of(database_url) for _ in range(2)]
    yield locks
    for lock in locks:
        lock.release()


def acquire_soon(lock):
    """A server takes a moment to see that a session has ended."""
    deadline = time.monotonic() + 10
    while not lock.try_acquire():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.both_databases
def test_one_holds_it_until_it_lets_go(locks):
    first, second = locks
    assert first.try_acquire()
    assert not second.try_acquire()
    assert (first.is_held(), second.is_held()) == (True, False)

    first.release()

    assert not first.is_held()
    acquire_soon(second)
    assert not first.try_acquire()


class TestOnPostgresql:
    @pytest.fixture
    def database_kind(self):
        return "postgresql"

    def test_a_lost_session_is_noticed_and_another_may_hold_it(self, locks, postgres_server):
        first, second = locks
        assert first.try_acquire()
        ((holder,),) = postgres_server.execute(HOLDERS, [DISPATCHER_LOCK % 2**32])
        postgres_server.execute("SELECT pg_terminate_backend(%s)", [holder])

        assert not first.is_held()
        acquire_soon(second)
        assert not first.try_acquire()
        assert not first.is_held()

    def test_a_server_that_is_away_is_an_error_and_no_lock(self, locks, postgres_server):
        first, _ = locks
        postgres_server.stop()
        try:
            with pytest.raises(OperationalError):
                first.try_acquire()
        finally:
            postgres_server.start()
        assert not first.is_held()
        assert first.try_acquire()
