"""Follow a job by its events: what the lines of a stream mean, and what a broken one costs."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from darkroom import watching
from darkroom.client import Client
from darkroom.server_error import ServerError
from darkroom.watching import Event, follow, parse_events
from jobs.contract import JobStatus, JobView


def test_events_are_read_as_the_standard_says() -> None:
    lines = [": heartbeat", "", "id: 5-0", "event: update", "data: {", "data:}", "", "data: x", ""]

    assert list(parse_events(iter(lines))) == [
        Event("comment", "heartbeat", None),
        Event("update", "{\n}", "5-0"),
        Event("message", "x", "5-0"),
    ]


def test_an_event_without_data_or_without_its_end_is_none() -> None:
    assert list(parse_events(iter(["event: reset", "", "event: update", "data: {}"]))) == []


def test_a_server_that_stays_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "PATIENCE_SECONDS", 1.5)

    with (
        Client("http://127.0.0.1:9") as client,
        pytest.raises(ServerError, match="no answer from"),
    ):
        list(follow(client, "any"))


@pytest.mark.chaos
def test_a_job_is_followed_to_its_end_across_a_killed_web_program(
    start_up: Callable[..., Any], checkpoint_file: Any
) -> None:
    up = start_up()
    views: list[JobView] = []
    is_running = threading.Event()

    def watch(job_id: str) -> None:
        with Client(up.url) as watcher:
            for view in follow(watcher, job_id):
                views.append(view)
                if view.progress.done:
                    is_running.set()

    with Client(up.url) as client:
        checkpoint = client.import_checkpoint(checkpoint_file, None)
        params = {"checkpoint": checkpoint.id, "count": 4, "num_inference_steps": 1000}
        job = client.submit({"kind": "sample", "params": params})
        thread = threading.Thread(target=watch, args=(job.id,))
        thread.start()
        assert is_running.wait(60)
        up.child("web").kill()
        thread.join(90)

    assert not thread.is_alive()
    assert views[-1].status is JobStatus.SUCCEEDED
    assert views[-1].progress.done == views[-1].progress.total
    assert [view.status_seq for view in views] == sorted(view.status_seq for view in views)
