"""A worker of a system under a fake clock: a real report desk, and an engine that only counts."""

import hashlib
from typing import TYPE_CHECKING, Any

from jobs.artifacts import attempt_folder
from jobs.contract import ArtifactRole, ErrorInfo
from jobs.messages import (
    ArtifactRecord,
    Heartbeat,
    Manifest,
    OrderType,
    ReportStatus,
    ShardOrder,
)
from worker.consumer.desk import ReportDesk

if TYPE_CHECKING:
    from tests.dispatcher.simulation import World

STEPS = 4
REPORT_SECONDS = 0.4


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
