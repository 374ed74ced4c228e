import queue
import threading
from collections.abc import Callable, Iterator

import pytest

from jobs import broadcast
from jobs.broadcast import Broadcaster, Event
from jobs.contract import JobStatus, JobUpdate, Progress
from jobs.streams import UPDATES, DispatcherStreams

WAIT_SECONDS = 20.0


def update(job_id: str, done: int = 0) -> JobUpdate:
    return JobUpdate(
        job_id=job_id,
        status=JobStatus.RUNNING,
        status_seq=done + 1,
        progress=Progress(done=done, total=100_000),
    )


class Page:
    """An open page: a thread that takes every event as it comes."""

    def __init__(self, broadcaster: Broadcaster, *arguments: str | None) -> None:
        self._events: queue.Queue[Event] = queue.Queue()
        self._broadcaster = broadcaster
        self._thread = threading.Thread(target=self._read, args=arguments, daemon=True)
        self._thread.start()

    def _read(self, *arguments: str | None) -> None:
        for event in self._broadcaster.subscribe(*arguments):
            if event is not None:
                self._events.put(event)

    def next(self) -> Event:
        return self._events.get(timeout=WAIT_SECONDS)

    def next_done(self) -> int:
        event = self.next()
        assert event.type == "update", event
        return JobUpdate.model_validate_json(event.data).progress.done

    def wait_reset(self) -> None:
        """Pass over everything up to the next reset."""
        while self.next().type != "reset":
            pass

    def close(self) -> None:
        self._thread.join(WAIT_SECONDS)
        assert not self._thread.is_alive()


@pytest.fixture
def streams(redis_server) -> Iterator[DispatcherStreams]:
    streams = DispatcherStreams(redis_server.url)
    yield streams
    streams.close()


@pytest.fixture
def broadcaster(redis_server) -> Iterator[Broadcaster]:
    broadcaster = Broadcaster(redis_server.url)
    yield broadcaster
    broadcaster.close()


@pytest.fixture
def open_page(broadcaster) -> Iterator[Callable[..., Page]]:
    pages = []

    def open_one(job_id: str | None = None, last_event_id: str | None = None) -> Page:
        pages.append(Page(broadcaster, job_id, last_event_id))
        return pages[-1]

    yield open_one
    broadcaster.close()
    for page in pages:
        page.close()


@pytest.fixture
def entry_ids(redis_server) -> Callable[[], list[str]]:
    """The ids of the updates that Redis holds, oldest first."""

    def ids() -> list[str]:
        client = redis_server.client()
        found = [entry_id.decode() for entry_id, _ in client.xrange(UPDATES)]
        client.close()
        return found

    return ids


def test_every_page_gets_the_updates_of_its_job_in_order(open_page, streams):
    one, other, everything = open_page("one"), open_page("other"), open_page()
    for page in (one, other, everything):
        page.wait_reset()  # from here on nothing is missed

    for done in range(5):
        streams.conclude(updates=[update("one", done), update("other", 100 + done)])

    assert [one.next_done() for _ in range(5)] == list(range(5))
    assert [other.next_done() for _ in range(5)] == list(range(100, 105))
    assert [everything.next_done() for _ in range(4)] == [0, 100, 1, 101]


def test_a_page_that_comes_late_starts_anew(open_page, streams):
    # It may have been rendered before the last change.
    open_page("one").wait_reset()

    assert open_page("one").next().type == "reset"


def test_a_page_that_comes_back_gets_what_it_missed(open_page, streams, entry_ids):
    streams.conclude(
        updates=[update("one", 1), update("other", 2), update("one", 3), update("one", 4)]
    )
    ids = entry_ids()

    page = open_page("one", ids[0])

    seen = [page.next() for _ in range(2)]
    assert [event.id for event in seen] == ids[2:]
    assert [event.type for event in seen] == ["update", "update"]


def test_a_page_that_missed_nothing_is_sent_nothing_old(open_page, streams, entry_ids):
    streams.conclude(updates=[update("one", 1)])
    settled = open_page("one")
    settled.wait_reset()

    page = open_page("one", entry_ids()[-1])
    streams.conclude(updates=[update("one", 2)])

    events = [page.next()]
    while events[-1].type == "reset":
        events.append(page.next())
    assert JobUpdate.model_validate_json(events[-1].data).progress.done == 2


@pytest.mark.parametrize("unknown", ["0-1", "99999999999999-0", "rubbish", "", "5"])
def test_a_page_whose_last_event_is_unknown_starts_anew(open_page, streams, unknown):
    streams.conclude(updates=[update("one", 1)])
    page = open_page("one", unknown)

    assert page.next().type == "reset"


def test_a_page_whose_last_event_was_trimmed_starts_anew(
    open_page, streams, entry_ids, redis_server
):
    streams.conclude(updates=[update("one", done) for done in range(5)])
    first = entry_ids()[0]
    client = redis_server.client()
    client.xtrim(UPDATES, maxlen=2, approximate=False)
    client.close()

    assert open_page("one", first).next().type == "reset"


def test_the_dispatchers_reset_reaches_every_page(open_page, streams, entry_ids):
    pages = [open_page("one"), open_page()]
    for page in pages:
        page.wait_reset()

    streams.publish_reset()

    for page in pages:
        assert page.next() == Event(id=entry_ids()[-1], type="reset", data="{}")


def test_pages_start_anew_when_redis_is_lost_and_when_it_is_back(open_page, streams, redis_server):
    page = open_page("one")
    page.wait_reset()

    redis_server.kill()
    assert page.next().type == "reset"
    redis_server.start()
    assert page.next().type == "reset"
    streams.conclude(updates=[update("one", 8)])

    assert page.next_done() == 8


def test_pages_start_anew_when_redis_has_lost_its_stream(open_page, streams, redis_server):
    page = open_page("one")
    page.wait_reset()
    streams.conclude(updates=[update("one", 8)])
    assert page.next_done() == 8

    redis_server.flush()

    assert page.next().type == "reset"
    streams.conclude(updates=[update("one", 9)])
    assert page.next_done() == 9


def test_a_page_that_is_too_slow_starts_anew_and_holds_up_nobody(
    broadcaster, open_page, streams, monkeypatch
):
    monkeypatch.setattr(broadcast, "BACKLOG", 5)
    slow = broadcaster.subscribe("one")
    assert next(slow).type == "reset"  # subscribed, and reads no more
    quick = open_page("one")
    quick.wait_reset()

    for done in range(1, 21):
        streams.conclude(updates=[update("one", done)])
        assert quick.next_done() == done

    seen = [next(slow)]
    assert seen[0].type == "reset"  # in place of all that it did not read
    streams.conclude(updates=[update("one", 21)])
    while '"done":21' not in seen[-1].data:
        seen.append(next(slow))
    assert len(seen) <= broadcast.BACKLOG + 1
    slow.close()
