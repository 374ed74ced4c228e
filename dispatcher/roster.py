"""Which workers live, what occupies their slots, and since when each attempt has been silent.

All times are of this process's monotonic clock: the clocks of workers are only shown.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from jobs.messages import PROTOCOL, Heartbeat, Report
from jobs.workers import WORKER_IS_ONLINE

Clock = Callable[[], float]
TELL_SECONDS = 30.0  # between two words to a worker of another protocol
FORGET_SECONDS = 600.0  # a worker silent for so long is forgotten with its queue
MOMENT_SECONDS = 1.0


@dataclass
class KnownWorker:
    """A worker as its last message showed it."""

    heartbeat: Heartbeat | None = None  # None until the first: only reports were heard
    heard_at: float = 0.0
    running: dict[str, int] = field(default_factory=dict)  # shard id → attempt


@dataclass(frozen=True)
class KnownStranger:
    """A worker of another protocol."""

    heard_at: float
    told_at: float


@dataclass(frozen=True)
class Sent:
    """A message of which no report has come."""

    worker: str
    attempt: int
    at: float


class Roster:
    """What the dispatcher remembers; all of it can be lost, and is learned again in seconds."""

    def __init__(self, lease_seconds: float, clock: Clock = time.monotonic) -> None:
        """Start with nobody; every lease begins now."""
        self._lease_seconds = lease_seconds
        self._clock = clock
        self._workers: dict[str, KnownWorker] = {}
        self._mentioned: dict[tuple[str, int, str], float] = {}
        self._leases_since = self._listened_at = clock()
        self.sent: dict[str, Sent] = {}
        self.drained: frozenset[str] = frozenset()  # as the database has it
        self._strangers: dict[str, KnownStranger] = {}

    def renew_leases(self) -> None:
        """Begin every lease and every wait for a report anew: the silence may have been ours."""
        now = self._clock()
        self._leases_since = now
        self.sent = {
            shard_id: Sent(sent.worker, sent.attempt, now) for shard_id, sent in self.sent.items()
        }

    def note_listening(self, since: float) -> None:
        """All that was said until `since` is read: a silence lasts no longer than that."""
        self._listened_at = since

    def hear(self, message: Heartbeat | Report) -> None:
        """Take in a message of a worker."""
        now = self._clock()
        worker = self._workers.setdefault(message.worker, KnownWorker())
        worker.heard_at = now
        worker.running = {shard.shard_id: shard.attempt for shard in message.running}
        if isinstance(message, Heartbeat):
            worker.heartbeat = message
        else:
            self._mentioned[(message.shard_id, message.attempt, message.worker)] = now
            sent = self.sent.get(message.shard_id)
            if sent is not None and sent.attempt == message.attempt:
                del self.sent[message.shard_id]
        for shard in message.running:
            self._mentioned[(shard.shard_id, shard.attempt, message.worker)] = now

    def hear_stranger(self, worker: str) -> bool:
        """A worker of another protocol was heard; True if it is to be told so (again)."""
        now = self._clock()
        known = self._strangers.get(worker)
        is_due = known is None or now - known.told_at >= TELL_SECONDS
        told_at = now if known is None or is_due else known.told_at
        self._strangers[worker] = KnownStranger(heard_at=now, told_at=told_at)
        return is_due

    def silent_seconds(self, shard_id: str, attempt: int, worker: str) -> float:
        """How long this attempt has not been heard of while we were listening."""
        mentioned = self._mentioned.get((shard_id, attempt, worker), self._leases_since)
        return self._listened_at - max(mentioned, self._leases_since)

    def is_alive(self, worker: str) -> bool:
        """Whether this worker has told its queue, and was heard within a lease."""
        known = self._workers.get(worker)
        if known is None or known.heartbeat is None:
            return False
        return self._clock() - known.heard_at <= self._lease_seconds

    def takes_work(self, worker: str) -> bool:
        """Whether shards may be sent to this worker."""
        if worker in self.drained or not self.is_alive(worker):
            return False
        heartbeat = self._workers[worker].heartbeat
        return heartbeat is not None and not heartbeat.draining and heartbeat.protocol == PROTOCOL

    def slots_as_listed(self) -> dict[str, int]:
        """Of each worker that people see listed, the slots to which shards may be sent.

        It stays a moment longer here than in any list: whoever looks when it is gone from here does
        not find it there.
        """
        since = self._clock() - WORKER_IS_ONLINE.total_seconds() - MOMENT_SECONDS
        return {
            name: known.heartbeat.slots if self.takes_work(name) else 0
            for name, known in self._workers.items()
            if known.heartbeat is not None and known.heard_at >= since
        } | {name: 0 for name, known in self._strangers.items() if known.heard_at >= since}

    def free_workers(self) -> list[str]:
        """Workers that can take a shard now, the emptiest first, one entry per free slot."""
        on_the_way: dict[str, set[str]] = {}
        for shard_id, sent in self.sent.items():
            on_the_way.setdefault(sent.worker, set()).add(shard_id)
        free: list[tuple[int, str]] = []
        for name, known in self._workers.items():
            heartbeat = known.heartbeat
            occupied = len(known.running.keys() | on_the_way.get(name, set()))
            if heartbeat is not None and heartbeat.slots > occupied and self.takes_work(name):
                free += [(occupied + i, name) for i in range(heartbeat.slots - occupied)]
        return [name for _, name in sorted(free)]

    def capabilities_of(self, worker: str) -> dict[str, Any]:
        """What a worker tells of itself; nothing while it is not known."""
        known = self._workers.get(worker)
        return {} if known is None or known.heartbeat is None else known.heartbeat.capabilities

    def queue_of(self, worker: str) -> str:
        """The Celery queue of a worker that was heard."""
        known = self._workers.get(worker)
        if known is None or known.heartbeat is None:
            raise KeyError(f"worker {worker} has told no queue")
        return known.heartbeat.queue

    def note_sent(self, shard_id: str, attempt: int, worker: str) -> None:
        """A message leaves for `worker`."""
        self.sent[shard_id] = Sent(worker, attempt, self._clock())

    def unanswered(self, seconds: float) -> dict[str, Sent]:
        """Messages of which no report has come for so long."""
        now = self._clock()
        return {shard: sent for shard, sent in self.sent.items() if now - sent.at >= seconds}

    def forget_the_gone(self) -> list[str]:
        """Drop workers that have long been silent, and return their queues."""
        now = self._clock()
        for name in [n for n, s in self._strangers.items() if now - s.heard_at > FORGET_SECONDS]:
            del self._strangers[name]
        gone = [n for n, known in self._workers.items() if now - known.heard_at > FORGET_SECONDS]
        queues = [w.heartbeat.queue for n in gone if (w := self._workers.pop(n)).heartbeat]
        self._mentioned = {
            key: at for key, at in self._mentioned.items() if now - at <= FORGET_SECONDS
        }
        return queues
