"""A system under a fake clock: arbiter, database, files and report desks are the real ones.

What lies between them (Redis, processes, networks) is scripted here, and fails as the test says.
"""

import hashlib
import shutil
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from dispatcher.arbiter import Arbiter, Decision
from dispatcher.housekeeper import keep_only
from jobs.artifacts import ArtifactStore, attempt_folder
from jobs.contract import ArtifactRole, ErrorInfo
from jobs.database import Database
from jobs.messages import (
    ArtifactRecord,
    Heartbeat,
    Manifest,
    Order,
    OrderType,
    ReportStatus,
    ShardOrder,
    message_adapter,
)
from jobs.service import JobService
from jobs.settings import DispatcherSettings
from jobs.streams import WebStreams
from worker.consumer.desk import ReportDesk

NOWHERE = "redis://127.0.0.1:1/0"  # the hints of the API are lost, always
STEPS = 4
NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)  # when the clock shows 0
LEASE, RESEND, MAX_LOSSES = 20.0, 5.0, 3
REPORT_SECONDS = 0.4


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


class SimulatedWorker:
    """A consumer with a real report desk, and an engine that only counts."""

    def __init__(self, name: str, world: "World") -> None:
        self.name = name
        self.number = world.started_workers  # its progress differs from everybody else's
        self.is_cut_off = False
        self.is_leaving = False
        self.air: list[bytes] = []  # said, and not yet arrived
        self.desk = ReportDesk(name, REPORT_SECONDS, world.clock)
        self.order: ShardOrder | None = None  # what the engine runs
        self.step = 0
        self._world = world

    def take(self) -> None:
        """Celery gives the next message, if the one thread that runs them is free."""
        queue = self._world.road.queues.get(self.name, [])
        if self.order is not None or not queue or self.is_out_of_reach:
            return
        order = queue.pop(0)
        if self.desk.begin(order):
            self.order, self.step = order, 0
            if self.is_leaving:
                self._end(status=ReportStatus.RETURNED)

    @property
    def is_out_of_reach(self) -> bool:
        return self.is_cut_off or not self._world.road.is_up

    def work(self) -> None:
        """One step; the first loads what an earlier attempt saved. The last one publishes."""
        if self.order is None:
            return
        saved = self._world.saved_steps
        shard = self.order.shard_id
        self.step = max(self.step + 1, saved.get(shard, 0))
        if self.step > STEPS:
            self.finish()
            return
        saved[shard] = max(saved.get(shard, 0), self.step - 1)
        for _ in range(2 - self.number % 2):  # of two, the one that is heard later is ahead
            self._update(done=100 * self.step + self.number, saved_step=saved[shard])

    def finish(self, *, is_heard: bool = True) -> None:
        """Publish everything, the manifest last; then perhaps die before it is said."""
        if self.order is None:
            return
        manifest = self._publish(self.order)
        if is_heard:
            made = manifest.artifacts
            self._end(status=ReportStatus.SUCCEEDED, done=manifest.done, artifacts=made)
        else:
            self._world.kill(self)

    def fail(self) -> None:
        self._end(status=ReportStatus.FAILED, error=ErrorInfo(code="bad", message="as scripted"))

    def lose_engine(self) -> None:
        self._end(status=ReportStatus.LOST, error=ErrorInfo(code="engine_died", message="killed"))

    def leave(self) -> None:
        """SIGTERM: what runs is handed back, and nothing more is taken."""
        self.is_leaving = True
        self._end(status=ReportStatus.RETURNED)

    def obey(self, *, is_last_lost: bool = False) -> None:
        """Read all orders; the last one may be lost on the way."""
        if self.is_out_of_reach:
            return
        orders = self._world.road.orders.pop(self.name, [])
        for order in orders[: -1 if is_last_lost else None]:
            attempt = (order.shard_id, order.attempt)
            if order.type is OrderType.ACKNOWLEDGE:
                self.desk.acknowledge(attempt, order.seq)
            elif self.order is not None and (self.order.shard_id, self.order.attempt) == attempt:
                self.desk.drop(attempt)
                self.order = None
            else:
                self.desk.drop(attempt)

    def speak(self, *, is_confirmed: bool = True) -> None:
        """Heartbeat and reports; unconfirmed ones may arrive, but the worker cannot know."""
        if self.is_out_of_reach:
            return
        self.desk.wait_due(0)  # what it asks before it speaks
        reports = self.desk.take_reports(with_unacknowledged=True)
        for report in reports:
            self._world.witness.note_said(report)
        beat = Heartbeat(
            worker=self.name,
            queue=self.name,
            host="",
            pid=1,
            version="",
            slots=0 if self.is_leaving else 1,
            running=self.desk.running,
            draining=self.is_leaving,
        )
        self.air += [each.model_dump_json().encode() for each in (*reports, beat)]
        if is_confirmed:
            self.desk.note_sent(reports)

    def _update(self, **values: Any) -> None:
        assert self.order is not None
        self.desk.update((self.order.shard_id, self.order.attempt), **values)

    def _end(self, **values: Any) -> None:
        if self.order is not None:
            self._update(**values)
            self.order = None

    def _publish(self, order: ShardOrder) -> Manifest:
        is_training = order.work.kind == "train_ddpm"
        role = ArtifactRole.CHECKPOINT if is_training else ArtifactRole.IMAGES
        name = "made.bin"
        folder = attempt_folder(order.job_id, order.shard_id, order.attempt, self.name)
        content = order.shard_id.encode()
        self._world.artifacts.write_bytes(f"{folder}/{name}", content)
        record = ArtifactRecord(
            role=role,
            name=name,
            path=f"{folder}/{name}",
            shape=[1, 48, 48],
            media_type="application/octet-stream",
            size_bytes=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
            details={"architecture": "unet", "width": 8, "timesteps": 1000} if is_training else {},
        )
        manifest = Manifest(
            job_id=order.job_id,
            shard_id=order.shard_id,
            attempt=order.attempt,
            worker=self.name,
            done=STEPS,
            artifacts=[record],
        )
        self._world.artifacts.write_manifest(manifest)
        return manifest


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
            for job_id, shard_id, attempt, worker in decision.outcome.succeeded:
                kept = attempt_folder(job_id, shard_id, attempt, worker)
                keep_only(self.artifacts, job_id, shard_id, kept)

        return [order, acknowledge, tidy]
