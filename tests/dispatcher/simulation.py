"""A system under a fake clock: arbiter, database, files and report desks are the real ones.

What lies between them (Redis, processes, networks) is scripted here, and fails as the test says.
"""

import shutil
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from dispatcher.arbiter import Arbiter, Decision
from dispatcher.housekeeper import keep_only
from jobs.artifacts import CHECKPOINTS, ArtifactStore
from jobs.database import Database
from jobs.messages import (
    Order,
    ShardOrder,
    message_adapter,
)
from jobs.service import JobService
from jobs.settings import DispatcherSettings
from jobs.streams import WebStreams
from tests.dispatcher.simulated_worker import SimulatedWorker

NOWHERE = "redis://127.0.0.1:1/0"  # the hints of the API are lost, always
NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)  # when the clock shows 0
LEASE, RESEND, MAX_LOSSES = 20.0, 5.0, 3


class Clock:
    """Stands still unless it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Road:
    """What Redis holds; it can be emptied, and be away."""

    def __init__(self) -> None:
        self.is_up = True
        self.empty()

    def empty(self) -> None:
        self.has_group = False
        self.reports: list[bytes] = []  # not read yet
        self.pending: list[bytes] = []  # read, not acknowledged
        self.orders: dict[str, list[Order]] = {}
        self.queues: dict[str, list[ShardOrder]] = {}


class World:
    """Everything, and the moves that can be made in it."""

    def __init__(
        self, folder: Path, migrated: Path, make_witness: Callable[["World"], Any]
    ) -> None:
        path = folder / "darkroom.sqlite"
        shutil.copy(migrated, path)
        self.database_path = path
        self.clock = Clock()
        self.database = Database(f"sqlite:///{path}")
        self.refuses_commits = False
        self._hasten_database()
        self.artifacts = ArtifactStore(str(folder / "artifacts"))
        self.artifacts.write_bytes(f"{CHECKPOINTS}/kept", b"")  # as in every store that is used
        self.settings = DispatcherSettings(
            lease_seconds=LEASE, resend_seconds=RESEND, max_losses=MAX_LOSSES
        )
        self.service = JobService(self.database, self.artifacts, WebStreams(NOWHERE), 1)
        self.road = Road()
        self.workers: list[SimulatedWorker] = []
        self.saved_steps: dict[str, int] = {}
        self.jobs: list[str] = []
        self.witness = make_witness(self)
        self.arbiter: Arbiter | None = None
        self.started_workers = 0
        self.start_dispatcher()

    def _hasten_database(self) -> None:
        @event.listens_for(self.database.engine, "connect")
        def _hasten(connection: Any, _record: Any) -> None:
            connection.execute("PRAGMA synchronous=OFF")

        @event.listens_for(self.database.engine, "commit")
        def _refuse(_connection: Any) -> None:
            if self.refuses_commits:
                raise OperationalError("COMMIT", {}, Exception("database is locked"))

    def close(self) -> None:
        self.witness.close()
        self.database.close()

    def start_worker(self) -> SimulatedWorker:
        self.started_workers += 1
        self.workers.append(SimulatedWorker(f"worker-{self.started_workers}", self))
        return self.workers[-1]

    def kill(self, worker: SimulatedWorker) -> None:
        """Its machine is gone; what it said may still arrive."""
        self.workers.remove(worker)
        self.road.reports += worker.air if self.road.is_up else []

    def deliver(self, worker: SimulatedWorker, count: int | None = None) -> None:
        """What the worker said arrives, in its order."""
        if not worker.is_out_of_reach:
            arrived = worker.air[:count]
            del worker.air[: len(arrived)]
            self.road.reports += arrived

    def _time_of_day(self) -> datetime:
        return NOON + timedelta(seconds=self.clock.now)

    def start_dispatcher(self) -> None:
        """A new one remembers nothing."""
        self.arbiter = Arbiter(
            self.database, self.artifacts, self.settings, self.clock, self._time_of_day
        )
        self.has_redis, self.reads_pending = False, True
        self.witness.note_leases_anew()

    def dispatch(self, batch: int = 500, crash_after: int | None = None) -> None:
        """One pass of the dispatcher; it may die after so many of the things after its commit."""
        if self.arbiter is None:
            return
        if not self.road.is_up:
            self.has_redis = False
            self._renew_leases()
            return
        if not self.has_redis or not self.road.has_group:
            self.road.has_group = self.has_redis = self.reads_pending = True
            self._renew_leases()
        entries, has_read_all = self._read(batch)
        messages = [message_adapter.validate_json(entry) for entry in entries]
        try:
            with self.witness.watches(messages, has_read_all):
                decision = self.arbiter.decide(messages, self.clock.now if has_read_all else None)
        except OperationalError:
            self.reads_pending = True
            self._renew_leases()
            return
        after = [*self._departures(decision), *self._words(decision, len(entries))]
        for number, do in enumerate(after):
            if number == crash_after:
                self.arbiter = None
                return
            do()

    def _renew_leases(self) -> None:
        assert self.arbiter is not None
        self.arbiter.renew_leases()
        self.witness.note_leases_anew()

    def _read(self, batch: int) -> tuple[list[bytes], bool]:
        if self.reads_pending:
            self.reads_pending = bool(self.road.pending)
            return self.road.pending[:batch], False
        entries = self.road.reports[:batch]
        del self.road.reports[: len(entries)]
        self.road.pending += entries
        return entries, len(entries) < batch

    def _departures(self, decision: Decision) -> Sequence[Callable[[], None]]:
        def send(queue: str, order: ShardOrder) -> None:
            self.witness.note_departure(order)
            self.road.queues.setdefault(queue, []).append(order)

        return [lambda q=queue, o=order: send(q, o) for queue, order in decision.departures]

    def _words(self, decision: Decision, read: int) -> Sequence[Callable[[], None]]:
        def order() -> None:
            for worker, each in decision.outcome.orders:
                self.road.orders.setdefault(worker, []).append(each)

        def acknowledge() -> None:
            del self.road.pending[:read]

        def tidy() -> None:
            for job_id, shard_id, kept in decision.outcome.to_tidy:
                keep_only(self.artifacts, job_id, shard_id, kept)

        return [order, acknowledge, tidy]
