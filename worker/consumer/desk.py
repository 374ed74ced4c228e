"""The reports of a worker: the newest state of each attempt, repeated until it is acknowledged."""

import collections
import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from jobs.messages import Report, ReportStatus, RunningShard, ShardOrder

Attempt = tuple[str, int]  # shard id, attempt
REMEMBERED = 1000  # ended attempts, whose doubled messages are known


@dataclass
class _Entry:
    report: Report
    sent_seq: int = 0
    sent_at: float = 0.0
    acknowledged_seq: int = 0
    is_urgent: bool = True


class ReportDesk:
    """Knows for each attempt what is to be said; safe to use from all threads of the consumer."""

    def __init__(
        self, worker: str, report_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Progress is said at most every `report_seconds`, everything else at once."""
        self._worker = worker
        self._report_seconds = report_seconds
        self._clock = clock
        self._entries: dict[Attempt, _Entry] = {}
        self._ended: collections.OrderedDict[Attempt, None] = collections.OrderedDict()
        self._running: Attempt | None = None
        self._changed = threading.Condition()
        self._beat_now = False

    def begin(self, order: ShardOrder) -> bool:
        """Start reporting on this attempt; False for a doubled or outdated message.

        Then what was said last of it is said again.
        """
        attempt = (order.shard_id, order.attempt)
        with self._changed:
            newer = [a for a in (*self._entries, *self._ended) if a[0] == attempt[0]]
            if any(number >= order.attempt for _, number in newer):
                if attempt in self._entries:
                    self._entries[attempt].sent_seq = 0
                    self._entries[attempt].is_urgent = True
                    self._changed.notify_all()
                return False
            self._running = attempt
            report = Report(
                worker=self._worker,
                job_id=order.job_id,
                shard_id=order.shard_id,
                attempt=order.attempt,
                seq=1,
                status=ReportStatus.RUNNING,
                running=[],
            )
            self._entries[attempt] = _Entry(report)
            self._changed.notify_all()
            return True

    def update(self, attempt: Attempt, *, is_urgent: bool = False, **values: Any) -> None:
        """The state of an attempt has changed; nothing if it was dropped meanwhile."""
        with self._changed:
            entry = self._entries.get(attempt)
            if entry is None:
                return
            entry.report = entry.report.model_copy(update={"seq": entry.report.seq + 1, **values})
            entry.is_urgent |= is_urgent or entry.report.status.is_final
            if entry.report.status.is_final:
                self._leave(attempt)
            self._changed.notify_all()

    def facts(self, attempt: Attempt) -> dict[str, Any]:
        """How far an attempt has come: image-steps done, and the step it can resume from."""
        with self._changed:
            entry = self._entries.get(attempt)
            return {"done": entry.report.done, "step": entry.report.saved_step} if entry else {}

    def drop(self, attempt: Attempt) -> None:
        """Nothing more is to be said of an attempt that counts no more."""
        with self._changed:
            self._entries.pop(attempt, None)
            self._remember(attempt)
            self._leave(attempt)
            self._changed.notify_all()

    def _leave(self, attempt: Attempt) -> None:
        if self._running == attempt:
            self._running = None
            self._beat_now = True

    def acknowledge(self, attempt: Attempt, seq: int) -> None:
        """The dispatcher has recorded, or for good ignored, what was said up to `seq`."""
        with self._changed:
            entry = self._entries.get(attempt)
            if entry is None:
                return
            entry.acknowledged_seq = max(entry.acknowledged_seq, seq)
            if entry.report.status.is_final and seq >= entry.report.seq:
                del self._entries[attempt]
                self._remember(attempt)
                self._changed.notify_all()

    def _remember(self, attempt: Attempt) -> None:
        self._ended[attempt] = None
        while len(self._ended) > REMEMBERED:
            self._ended.popitem(last=False)

    @property
    def running(self) -> list[RunningShard]:
        """What occupies the slot."""
        with self._changed:
            if self._running is None:
                return []
            return [RunningShard(shard_id=self._running[0], attempt=self._running[1])]

    def wait_due(self, timeout_seconds: float) -> bool:
        """Wait until something is to be said; True if a heartbeat should go with it."""
        deadline = self._clock() + timeout_seconds
        with self._changed:
            while True:
                now = self._clock()
                due_at = min((self._due_at(e) for e in self._entries.values()), default=deadline)
                if self._beat_now or now >= min(due_at, deadline):
                    beat, self._beat_now = self._beat_now, False
                    return beat
                self._changed.wait(min(due_at, deadline) - now)

    def _due_at(self, entry: _Entry) -> float:
        if entry.sent_seq >= entry.report.seq:
            return float("inf")
        return 0.0 if entry.is_urgent else entry.sent_at + self._report_seconds

    def take_reports(self, *, with_unacknowledged: bool) -> list[Report]:
        """The reports to be sent now; with a heartbeat also all that nobody acknowledged."""
        with self._changed:
            running = self.running  # of the same moment: a slot that looks free is filled
            now = self._clock()
            return [
                entry.report.model_copy(update={"running": running})
                for entry in self._entries.values()
                if self._due_at(entry) <= now
                or (with_unacknowledged and entry.acknowledged_seq < entry.report.seq)
            ]

    def note_sent(self, reports: list[Report]) -> None:
        """These reports have left."""
        with self._changed:
            for report in reports:
                entry = self._entries.get((report.shard_id, report.attempt))
                if entry is not None:
                    entry.sent_seq = max(entry.sent_seq, report.seq)
                    entry.sent_at = self._clock()
                    entry.is_urgent = entry.is_urgent and entry.sent_seq < entry.report.seq

    def wake(self) -> None:
        """Say a heartbeat now."""
        with self._changed:
            self._beat_now = True
            self._changed.notify_all()

    def wait_silent(self, timeout_seconds: float) -> bool:
        """Wait until all final reports are acknowledged."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._entries, timeout_seconds)

    @contextlib.contextmanager
    def until_left(self, attempt: Attempt) -> Iterator[None]:
        """Whatever happens inside, the attempt leaves the slot at the end."""
        try:
            yield
        finally:
            with self._changed:
                self._leave(attempt)
                self._changed.notify_all()
