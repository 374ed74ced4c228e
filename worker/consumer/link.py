"""The worker's link to the dispatcher: heartbeats and reports go out, orders come in.

Redis errors are retried without limit: the engine goes on meanwhile, and what was not said is said
later.
"""

import logging
import os
import socket
import threading
import time

from jobs import __version__
from jobs.broker import queue_key, queue_of
from jobs.messages import PROTOCOL, Heartbeat, Order, OrderType, UnknownOrder
from jobs.settings import WorkerSettings
from jobs.streams import StreamError, WorkerStreams
from worker.consumer.desk import ReportDesk
from worker.consumer.supervisor import Supervisor
from worker.consumer.usage import UsageMeter
from worker.consumer.vital import vital_thread

log = logging.getLogger(__name__)

RETRY_SECONDS = 0.5
EXIT_STUCK = 70


class Link:
    """Two threads: one says what is to be said, one listens to orders."""

    def __init__(
        self,
        settings: WorkerSettings,
        worker: str,
        streams: WorkerStreams,
        desk: ReportDesk,
        supervisor: Supervisor,
    ) -> None:
        """Speak as `worker`."""
        self._settings = settings
        self._worker = worker
        self._streams = streams
        self._desk = desk
        self._supervisor = supervisor
        self._usage = UsageMeter()
        self._told: tuple[int | None, str] | None = None  # another protocol and its version
        self._is_leaving = False
        self._is_drained = False
        self._is_closed = threading.Event()
        self._waiting_since: float | None = None  # a message lies beside our free slot
        self._threads = [
            vital_thread(self._speak, "reports"),
            vital_thread(self._listen, "orders"),
        ]

    def start(self) -> None:
        """Begin to speak and to listen."""
        for thread in self._threads:
            thread.start()

    def leave(self) -> None:
        """Offer no more slots, for good."""
        self._is_leaving = True
        self._desk.wake()

    def _drain(self, *, is_drained: bool) -> None:
        """Offer no more slots, or offer them again; what runs goes on."""
        if is_drained == self._is_drained:  # said again with each heartbeat
            return
        log.info("drained: taking no more shards" if is_drained else "taking shards again")
        self._is_drained = is_drained
        self._desk.wake()

    @property
    def _is_draining(self) -> bool:
        return self._is_leaving or self._is_drained

    def close(self, timeout_seconds: float) -> None:
        """Wait until everything final is acknowledged, then fall silent."""
        if not self._desk.wait_silent(timeout_seconds):
            log.warning("some last reports were not acknowledged")
        self._is_closed.set()
        self._desk.wake()
        self._threads[0].join(2 * RETRY_SECONDS)

    def _heartbeat(self) -> Heartbeat:
        is_open = self._supervisor.is_ready and not self._is_draining
        return Heartbeat(
            worker=self._worker,
            queue=queue_of(self._worker),
            host=socket.gethostname(),
            pid=os.getpid(),
            version=__version__,
            protocol=PROTOCOL,
            slots=1 if is_open else 0,
            running=self._desk.running,
            draining=self._is_draining,
            capabilities=self._supervisor.capabilities,
            usage=self._usage.measure(
                self._supervisor.engine_pid, self._supervisor.capabilities.get("gpu")
            ),
        )

    def _speak(self) -> None:
        next_beat = 0.0
        while not self._is_closed.is_set():
            beat_now = self._desk.wait_due(max(0.0, next_beat - time.monotonic()))
            is_beat = beat_now or time.monotonic() >= next_beat
            reports = self._desk.take_reports(with_unacknowledged=is_beat)
            try:
                self._streams.send([*reports, *([self._heartbeat()] if is_beat else [])])
                self._desk.note_sent(reports)
                if is_beat:
                    self._look_for_stuck_message()
            except StreamError as error:
                log.warning("cannot report: %s", error)
                self._is_closed.wait(RETRY_SECONDS)
                next_beat = 0.0
                continue
            if is_beat:
                next_beat = time.monotonic() + self._settings.heartbeat_seconds

    def _look_for_stuck_message(self) -> None:
        """A consumer that no longer takes messages ends itself, for its supervisor to start."""
        is_free = self._supervisor.is_ready and not self._is_draining and not self._desk.running
        if not is_free or not self._streams.waiting_messages(queue_key(queue_of(self._worker))):
            self._waiting_since = None
            return
        now = time.monotonic()
        if self._waiting_since is None:
            self._waiting_since = now
        if now - self._waiting_since >= self._settings.stuck_seconds:
            log.critical("a message waits beside a free slot: this consumer ends itself")
            self._supervisor.close()
            os._exit(EXIT_STUCK)

    def _listen(self) -> None:
        last_id = "0-0"
        while not self._is_closed.is_set():
            try:
                for entry_id, order in self._streams.read_orders(last_id):
                    last_id = entry_id
                    self._obey(order)
            except StreamError as error:
                log.warning("cannot read orders: %s", error)
                self._is_closed.wait(RETRY_SECONDS)

    def _obey(self, order: Order | UnknownOrder) -> None:
        if isinstance(order, UnknownOrder):
            log.warning("order %r of version %s cannot be understood", order.type, order.version)
            return
        if order.type is OrderType.INCOMPATIBLE:
            self._hear_incompatible(order)
            return
        attempt = (order.shard_id, order.attempt)
        if order.type is OrderType.ACKNOWLEDGE:
            self._desk.acknowledge(attempt, order.seq)
        elif order.type is OrderType.STOP:
            self._supervisor.stop(attempt)
        else:
            self._drain(is_drained=order.type is OrderType.DRAIN)

    def _hear_incompatible(self, order: Order) -> None:
        """Stay: the dispatcher may be of our version after its next start, and send work then."""
        if self._told != (order.protocol, order.version):
            self._told = (order.protocol, order.version)
            log.error(
                "the dispatcher is version %s and speaks protocol %d; this worker is version %s "
                "and speaks %d: it gets no work until the same version is installed on both",
                order.version,
                order.protocol,
                __version__,
                PROTOCOL,
            )
