"""A dispatcher that the test moves pass by pass, and handles on processes."""

import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest

from dispatcher.dispatcher import Dispatcher
from jobs.contract import ShardView
from jobs.database import Database
from jobs.settings import DispatcherSettings, WebSettings
from jobs.tables import Shard

T = TypeVar("T")


def _wait_for(ask: Callable[[], T | None], seconds: float = 30.0, what: str = "") -> T:
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        assert time.monotonic() < deadline, f"waited {seconds} s in vain {what}"
        time.sleep(0.02)
    return answer


@pytest.fixture
def wait_for() -> Callable[..., Any]:
    """Waits until a question has a true answer, and gives it."""
    return _wait_for


class Passes:
    """A dispatcher of this process: it does nothing but what the test lets it do."""

    def __init__(self, settings: DispatcherSettings) -> None:
        self.dispatcher = Dispatcher(settings)

    def until(self, ask: Callable[[], T | None], seconds: float = 20.0, what: str = "") -> T:
        """Passes until the answer is true."""

        def pass_and_ask() -> T | None:
            self.dispatcher.run_pass()
            return ask()

        return _wait_for(pass_and_ask, seconds, what)

    def spend(self, seconds: float) -> None:
        """Passes for a while, in which something is not to happen."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.dispatcher.run_pass()

    def silence(self, seconds: float = 120.0) -> None:
        """As if nobody had been heard for so long: longer than any lease here."""
        roster = self.dispatcher._arbiter._roster
        roster._leases_since -= seconds
        roster._mentioned = {key: at - seconds for key, at in roster._mentioned.items()}
        for worker in roster._workers.values():
            worker.heard_at -= seconds

    def all_read(self) -> None:
        """Passes until all that was said before is recorded."""
        for _ in range(4):  # pending, their end, what is new, and nothing
            self.dispatcher.run_pass()


@pytest.fixture
def start_passes(web_settings: WebSettings) -> Iterator[Callable[..., Passes]]:
    """Starts dispatchers in this process; impatient ones, so that the tests are quick."""
    started: list[Passes] = []

    def start(**settings: Any) -> Passes:
        known = web_settings.model_dump() | {
            "poll_seconds": 0.05,
            "resend_seconds": 0.5,
            "lease_seconds": 60,  # no test waits for one: see `silence`
        }
        passes = Passes(DispatcherSettings(**(known | settings)))
        started.append(passes)
        return passes

    yield start
    for passes in started:
        passes.dispatcher.close()


@pytest.fixture
def shard(system: Any) -> Callable[..., ShardView]:
    """Gives a shard of a job as the API shows it."""
    return lambda job, index=0: system.service.list_shards(job.id)[index]


@pytest.fixture
def shard_row(web_settings: WebSettings) -> Iterator[Callable[[str], Shard]]:
    """Gives the row of a shard."""
    database = Database(web_settings.database_url)

    def row(shard_id: str) -> Shard:
        with database.read() as session:
            return session.get_one(Shard, shard_id)

    yield row
    database.close()
