"""One reader of the updates stream per process, fanned out to any number of open pages.

Updates are only speed: whoever may have missed one is told `reset`, and fetches the job anew.
"""

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

from jobs.streams import StreamError
from jobs.updates import UpdateEntry, UpdateReader

log = logging.getLogger(__name__)

BACKLOG = 1000  # events that one slow page may be behind before it is told to start anew
HEARTBEAT_SECONDS = 10.0
RETRY_SECONDS = 1.0


@dataclass(frozen=True)
class Event:
    """What a page receives: an `update` with a JobUpdate as JSON, or a `reset`."""

    id: str | None
    type: str
    data: str


RESET = Event(id=None, type="reset", data="{}")


class _Subscription:
    """The mailbox of one page."""

    def __init__(self, job_id: str | None) -> None:
        self._job_id = job_id
        self._mailbox: queue.Queue[Event] = queue.Queue(BACKLOG)

    def offer(self, event: Event, job_id: str | None) -> None:
        """Take an event of this job; a full mailbox is emptied and says reset."""
        if None not in (job_id, self._job_id) and job_id != self._job_id:
            return
        try:
            self._mailbox.put_nowait(event)
        except queue.Full:
            with contextlib.suppress(queue.Empty):
                while True:
                    self._mailbox.get_nowait()
            self._mailbox.put_nowait(RESET)

    def take(self, timeout_seconds: float) -> Event | None:
        """The next event, or None after a while."""
        try:
            return self._mailbox.get(timeout=timeout_seconds)
        except queue.Empty:
            return None


class Broadcaster:
    """Subscriptions to the updates stream; its thread starts with the first of them."""

    def __init__(self, redis_url: str) -> None:
        """Connect to nothing yet."""
        self._reader = UpdateReader(redis_url)
        self._lock = threading.Lock()
        self._subscriptions: set[_Subscription] = set()
        self._thread: threading.Thread | None = None
        self._is_closed = False  # an Event's lock could be held by what the signal interrupts
        self._last_id: str | None = None  # None while Redis is away

    def subscribe(
        self, job_id: str | None = None, last_event_id: str | None = None
    ) -> Iterator[Event | None]:
        """Events of one job, or of all; None now and then, so that a dead page is noticed.

        What came after `last_event_id` comes first; if that cannot be known, or without one, a
        reset does: a page may have been rendered before the last change.
        """
        subscription = _Subscription(job_id)
        with self._lock:
            self._subscriptions.add(subscription)
            if last_event_id is None and self._last_id is not None:
                subscription.offer(RESET, None)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="updates", daemon=True)
                self._thread.start()
        try:
            if last_event_id is not None:
                yield from self._missed(job_id, last_event_id)
            while not self._is_closed:
                yield from self._wait(subscription)
        finally:
            with self._lock:
                self._subscriptions.discard(subscription)

    def _wait(self, subscription: _Subscription) -> Iterator[Event | None]:
        deadline = time.monotonic() + HEARTBEAT_SECONDS
        while time.monotonic() < deadline and not self._is_closed:
            event = subscription.take(0.5)
            if event is not None:
                yield event
                return
        yield None

    def _missed(self, job_id: str | None, last_event_id: str) -> Iterator[Event]:
        try:
            oldest, newest = self._reader.first_id(), self._reader.last_id()
            if oldest is None or not _parse(oldest) <= _parse(last_event_id) <= _parse(newest):
                yield RESET
                return
            entries = self._reader.between(last_event_id, newest)
        except (StreamError, ValueError):
            yield RESET
            return
        for entry in entries:
            if entry.update is None or job_id in (None, entry.update.job_id):
                yield _event(entry)

    def close(self) -> None:
        """End all subscriptions and the thread, soon; also out of a signal's handler."""
        self._is_closed = True

    def _run(self) -> None:
        while not self._is_closed:
            try:
                self._read_once()
            except StreamError as error:
                if self._last_id is not None:
                    log.warning("updates are away: %s", error)
                    self._last_id = None
                    self._offer(RESET, None)
                time.sleep(RETRY_SECONDS)

    def _read_once(self) -> None:
        last_id = self._last_id
        if last_id is None:
            last_id = self._reader.last_id()
            self._begin(last_id)
        entries = self._reader.read(last_id)
        for entry in entries:
            self._last_id = last_id = entry.id
            self._offer(_event(entry), entry.update.job_id if entry.update else None)
        if not entries and _parse(self._reader.last_id()) < _parse(last_id):
            self._last_id = None  # Redis lost the stream and counts from an earlier id

    def _begin(self, last_id: str) -> None:
        """Go on from here; whoever has subscribed until now starts anew."""
        with self._lock:
            self._last_id = last_id
            for subscription in self._subscriptions:
                subscription.offer(RESET, None)

    def _offer(self, event: Event, job_id: str | None) -> None:
        with self._lock:
            subscriptions = list(self._subscriptions)
        for subscription in subscriptions:
            subscription.offer(event, job_id)


def _event(entry: UpdateEntry) -> Event:
    if entry.update is None:
        return Event(id=entry.id, type="reset", data="{}")
    return Event(id=entry.id, type="update", data=entry.update.model_dump_json())


def _parse(entry_id: str) -> tuple[int, int]:
    milliseconds, _, number = entry_id.partition("-")
    return int(milliseconds), int(number or 0)
