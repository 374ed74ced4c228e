"""Clients that submit through the API, and a ledger of all that was accepted."""

import random
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

API = "/api/v1"
RETRY_SECONDS = 0.2
PATIENCE_SECONDS = 120.0  # on a busy machine: without an answer, or without any job's end
ENDED = ("succeeded", "failed", "canceled")


@dataclass
class Entry:
    """An accepted job, and what is known of its end.

    Attributes:
        job_id: as it was answered.
        request: index of what was asked for.
        parent: the job that it waits for.
        canceled: whether an order to cancel it was answered with 200.
        end: (status, status_seq, finished_at) as it was first seen ended.
    """

    job_id: str
    request: int
    parent: str | None = None
    canceled: bool = False
    end: tuple[str, int, str] | None = None


@dataclass
class Ledger:
    """All that was accepted; safe to write from all clients."""

    entries: dict[str, Entry] = field(default_factory=dict)
    changed_ends: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def accept(self, entry: Entry) -> None:
        """The API has answered 202."""
        with self._lock:
            assert entry.job_id not in self.entries, "two submissions made the same job"
            self.entries[entry.job_id] = entry

    def look(self, job: dict[str, Any]) -> None:
        """Note the end of a job as the API shows it, and whether an end was no end."""
        with self._lock:
            entry = self.entries.get(job["id"])
            if entry is None:
                return
            end = None
            if job["status"] in ENDED:
                end = (job["status"], job["status_seq"], job["finished_at"])
            if entry.end is not None and entry.end != end:
                self.changed_ends.append(f"{entry.job_id}: {entry.end}, then {end or job}")
            elif entry.end is None:
                entry.end = end

    def wait_ended(self) -> None:
        """Wait until all have ended; fail if none does for long."""
        left, changed_at = len(self.open), time.monotonic()
        while left:
            time.sleep(RETRY_SECONDS)
            now_left = len(self.open)
            if now_left != left:
                left, changed_at = now_left, time.monotonic()
            assert time.monotonic() - changed_at < PATIENCE_SECONDS, f"never ended: {self.open}"

    @property
    def open(self) -> list[Entry]:
        """What was not yet seen ended."""
        with self._lock:
            return [entry for entry in self.entries.values() if entry.end is None]


def persistently(
    ask: Callable[[], httpx.Response], accepted: Sequence[int] = (200,)
) -> httpx.Response:
    """Ask until there is an answer that is no failure of the server, whatever dies meanwhile."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            response = ask()
            if response.status_code in accepted:
                return response
            assert response.status_code >= 500, f"{response.status_code}: {response.text}"
            said = f"{response.status_code}: {response.text}"
        except httpx.TransportError as error:
            said = repr(error)
        assert time.monotonic() < deadline, f"no answer: {said}"
        time.sleep(RETRY_SECONDS)


class Client:
    """Submits its share of the jobs: some wait for the one before, some are canceled at once."""

    def __init__(self, url: str, ledger: Ledger, requests: Sequence[dict[str, Any]]) -> None:
        """Talk to the API at `url`."""
        self._http = httpx.Client(base_url=url, timeout=10)
        self._ledger = ledger
        self._requests = requests

    def submit_all(self, count: int, chance: random.Random, pause_seconds: float) -> None:
        """Submit `count` jobs, and pause between them for so long in the mean."""
        last: Entry | None = None
        with self._http:
            for _ in range(count):
                parent = None
                if last is not None and not last.canceled and chance.random() < 0.15:
                    parent = last.job_id
                last = self._submit(chance.randrange(len(self._requests)), parent)
                if chance.random() < 0.1:
                    last.canceled = self._cancel(last.job_id)
                time.sleep(chance.uniform(0, 2 * pause_seconds))

    def _submit(self, index: int, parent: str | None) -> Entry:
        key = str(uuid.uuid4())
        asked = self._requests[index] | ({"after": [parent]} if parent else {})
        response = persistently(
            lambda: self._http.post(f"{API}/jobs", json=asked, headers={"Idempotency-Key": key}),
            accepted=(202,),
        )
        entry = Entry(response.json()["id"], index, parent)
        self._ledger.accept(entry)
        return entry

    def _cancel(self, job_id: str) -> bool:
        """Whether it is canceled; 409 may also mean that an answer was lost."""
        response = persistently(
            lambda: self._http.post(f"{API}/jobs/{job_id}/cancel"), accepted=(200, 409)
        )
        if response.status_code == 200:
            return True
        return bool(response.json()["details"]["status"] == "canceled")


class Watcher:
    """Looks at all jobs again and again, so that an end that changes is seen."""

    def __init__(self, url: str, ledger: Ledger) -> None:
        """Begin to look."""
        self._http = httpx.Client(base_url=url, timeout=10)
        self._ledger = ledger
        self._is_closed = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watcher")
        self._thread.start()

    def _watch(self) -> None:
        while not self._is_closed.wait(1.0):
            try:
                self.look_once()
            except (httpx.HTTPError, KeyError):
                continue

    def look_once(self) -> None:
        """Look at every job once."""
        cursor: str | None = None
        while True:
            asked: dict[str, Any] = {"limit": 100} | ({"cursor": cursor} if cursor else {})
            page = self._http.get(f"{API}/jobs", params=asked).raise_for_status().json()
            for job in page["items"]:
                self._ledger.look(job)
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def look_persistently(self) -> None:
        """Look at every job once more, when all is quiet again."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                self.look_once()
                return
            except httpx.HTTPError:
                assert time.monotonic() < deadline, "the API does not answer"
                time.sleep(RETRY_SECONDS)

    def close(self) -> None:
        """Look no more."""
        self._is_closed.set()
        self._thread.join()
        self._http.close()
