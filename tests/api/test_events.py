import contextlib
import json
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from flask.testing import FlaskClient

from jobs.contract import JobStatus, JobUpdate, Progress
from jobs.settings import WebSettings
from jobs.streams import DispatcherStreams

PLACES = 3  # of streams, with the least number of threads
Fields = dict[str, str]


@pytest.fixture
def url(web_settings: WebSettings, serve_web: Callable[[WebSettings], Any]) -> str:
    """The API of a served process that has the least number of threads."""
    few = web_settings.model_copy(update={"web_threads": PLACES + 1})
    return f"{serve_web(few).url}/api/v1"


@contextlib.contextmanager
def _follow(url: str, **headers: str) -> Iterator[tuple[httpx.Response, Iterator[Fields]]]:
    timeout = httpx.Timeout(60)
    with httpx.stream("GET", url, headers=headers, timeout=timeout) as response:
        yield response, _events(response)


def _events(response: httpx.Response) -> Iterator[Fields]:
    fields: Fields = {}
    for line in response.iter_lines():
        if not line and fields:
            yield fields
            fields = {}
        elif line:
            name, _, value = line.partition(": ")
            fields[name or "comment"] = value


def _update(job_id: str, done: int) -> JobUpdate:
    progress = Progress(done=done, total=10)
    return JobUpdate(job_id=job_id, status=JobStatus.RUNNING, status_seq=done, progress=progress)


def _skip_start(events: Iterator[Fields]) -> None:
    """The pause before a reconnection, and the reset with which the process begins to read."""
    assert next(events) == {"retry": "2000"}
    assert next(events) == {"event": "reset", "data": "{}"}


def test_a_committed_change_reaches_those_who_follow_its_job(
    url: str, submit: Callable[..., str], web_settings: WebSettings
) -> None:
    mine, other = submit(), submit()
    dispatcher = DispatcherStreams(web_settings.redis_url)

    with _follow(f"{url}/jobs/{mine}/events") as (response, events):
        _skip_start(events)
        dispatcher.conclude(updates=[_update(other, 1), _update(mine, 2)])
        event = next(events)

    assert response.headers["Content-Type"].startswith("text/event-stream")
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Accel-Buffering"] == "no"
    assert event["event"] == "update"
    assert JobUpdate.model_validate_json(event["data"]) == _update(mine, 2)


def test_a_change_is_seen_at_once(url: str, web_settings: WebSettings) -> None:
    dispatcher = DispatcherStreams(web_settings.redis_url)
    with _follow(f"{url}/events") as (_, events):
        _skip_start(events)
        delays = []
        for done in range(20):
            sent_at = time.monotonic()
            dispatcher.conclude(updates=[_update("any", done)])
            assert json.loads(next(events)["data"])["progress"]["done"] == done
            delays.append(time.monotonic() - sent_at)

    assert sorted(delays)[5] < 0.25  # what else this computer does may hold some of them up


def test_all_who_follow_are_told_of_a_pause(url: str, submit: Callable[..., str]) -> None:
    job = submit()
    with _follow(f"{url}/jobs/{job}/events") as (_, events):
        _skip_start(events)
        pause = f"{url}/queue/pauses/sample"
        told = {"comment": "heartbeat"}
        while "event" not in told:  # Redis is asked for a moment only: a busy one misses it
            answer = httpx.put(pause, timeout=30, json={"reason": "new weights"})
            told = next(events)

    assert answer.status_code == 200, answer.text
    assert (told["event"], told["data"]) == ("reset", "{}")
    waiting = httpx.get(f"{url}/jobs/{job}", timeout=30).json()["waiting_reason"]
    assert waiting == "Kind sample is paused by local: new weights"


def test_what_was_missed_is_sent_after_the_last_event_id(
    url: str, web_settings: WebSettings
) -> None:
    dispatcher = DispatcherStreams(web_settings.redis_url)
    with _follow(f"{url}/events") as (_, events):
        _skip_start(events)
        dispatcher.conclude(updates=[_update("a", 1)])
        last_id = next(events)["id"]
    dispatcher.conclude(updates=[_update("a", 2), _update("a", 3)])

    with _follow(f"{url}/events", **{"Last-Event-ID": last_id}) as (_, events):
        assert next(events) == {"retry": "2000"}
        missed = [json.loads(next(events)["data"])["progress"]["done"] for _ in range(2)]

    assert missed == [2, 3]


@pytest.mark.parametrize("last_id", ["1-1", "99999999999999-0", "nonsense"])
def test_an_id_that_is_not_in_the_stream_means_reset(
    url: str, web_settings: WebSettings, last_id: str
) -> None:
    DispatcherStreams(web_settings.redis_url).conclude(updates=[_update("a", 1)])

    with _follow(f"{url}/events", **{"Last-Event-ID": last_id}) as (_, events):
        assert next(events) == {"retry": "2000"}
        assert next(events) == {"event": "reset", "data": "{}"}


def test_losing_redis_means_reset_and_following_goes_on(
    url: str, web_settings: WebSettings, redis_server: Any
) -> None:
    with _follow(f"{url}/events") as (_, events):
        _skip_start(events)
        redis_server.kill()
        assert next(events)["event"] == "reset"

        redis_server.start()
        assert next(events)["event"] == "reset"
        DispatcherStreams(web_settings.redis_url).conclude(updates=[_update("a", 1)])
        assert next(events)["event"] == "update"


def test_a_quiet_stream_says_that_it_lives(url: str) -> None:
    with _follow(f"{url}/events") as (_, events):
        started_at = time.monotonic()
        _skip_start(events)

        assert next(events) == {"comment": "heartbeat"}
        assert 5 < time.monotonic() - started_at < 30


def test_an_unknown_job_is_404(url: str) -> None:
    answer = httpx.get(f"{url}/jobs/nothing/events", timeout=30)

    assert (answer.status_code, answer.json()["code"]) == (404, "job_not_found")


def test_streams_never_take_the_last_thread(url: str) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(PLACES):
            _, events = stack.enter_context(_follow(f"{url}/events"))
            next(events)

        refused = httpx.get(f"{url}/events", timeout=30)
        assert (refused.status_code, refused.json()["code"]) == (503, "too_many_streams")
        assert int(refused.headers["Retry-After"]) > 0
        assert httpx.get(f"{url}/jobs", timeout=30).status_code == 200

    deadline = time.monotonic() + 60  # a place is free when the next heartbeat finds nobody
    while True:
        with _follow(f"{url}/events") as (response, _):
            if response.status_code == 200:
                return
        assert time.monotonic() < deadline
        time.sleep(0.5)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_open_streams_end_when_the_server_is_told_to_end(
    web_settings: WebSettings, serve_web: Callable[[WebSettings], Any], how: signal.Signals
) -> None:
    server = serve_web(web_settings)
    with (
        contextlib.ExitStack() as stack,
        ThreadPoolExecutor() as pool,
    ):
        streams = [stack.enter_context(_follow(f"{server.url}/api/v1/events")) for _ in range(5)]
        for _, events in streams:
            next(events)
        endings = [pool.submit(list, events) for _, events in streams]

        started_at = time.monotonic()
        assert server.stop(how) == 0
        seconds = time.monotonic() - started_at
        for ending in endings:
            ending.result(timeout=20)  # ended as a chunked answer ends, not cut off

    assert seconds < 25
    assert "Traceback" not in server.log


def test_asking_for_the_headers_takes_no_place(client: FlaskClient) -> None:
    for _ in range(200):
        answer = client.head("/api/v1/events")

        assert (answer.status_code, answer.mimetype) == (200, "text/event-stream")
