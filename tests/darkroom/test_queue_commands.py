"""Priorities, pauses and drains from the command line, against a running system."""

import json
import time
import urllib.request
from collections.abc import Callable
from typing import Any

Run = Callable[..., Any]


def get(url: str) -> Any:
    with urllib.request.urlopen(url) as answer:
        return json.load(answer)


def test_a_queue_is_paused_changed_drained_and_goes_on(
    shared_up: Any, darkroom: Run, checkpoint: str
) -> None:
    api = f"{shared_up.url}/api/v1"
    paused = darkroom("pause", "--reason", "the lab moves", url=shared_up.url)
    small = ("--count", "1", "--num-inference-steps", "2", "--checkpoint", checkpoint)
    job = darkroom("submit", "sample", *small, url=shared_up.url).stdout.strip()
    shown = darkroom("queue", url=shared_up.url)
    changed = darkroom("change", job, "--priority", "7", "--name", "first", url=shared_up.url)
    nothing = darkroom("change", job, url=shared_up.url)

    assert paused.stderr == "paused: all\n", paused.stderr
    assert shown.stdout.splitlines()[0] == "paused  all  by local  the lab moves"
    assert changed.stderr.splitlines() == [
        f"job {job} has priority 7",
        "The queue is paused by local: the lab moves",
    ]
    assert get(f"{api}/jobs/{job}")["name"] == "first"
    assert nothing.returncode == 2

    worker = get(f"{api}/workers")["items"][0]
    drained = darkroom("drain", worker["id"], url=shared_up.url)
    darkroom("resume", url=shared_up.url)
    assert drained.stderr == f"worker {worker['id']} is drained\n"
    deadline = time.monotonic() + 60
    while get(f"{api}/workers")["items"][0]["slots"]:
        assert time.monotonic() < deadline
    waiting = get(f"{api}/jobs/{job}")
    assert waiting["waiting_reason"] == "1 worker could run it, but is drained."
    assert "drained" in darkroom("workers", url=shared_up.url).stdout

    darkroom("drain", worker["id"], "--undo", url=shared_up.url)
    watched = darkroom("watch", job, url=shared_up.url)
    assert watched.returncode == 0, watched.stderr
    (told,) = get(f"{api}/workers")["items"]
    (known,) = [each for each in get(f"{api}/checkpoints")["items"] if each["id"] == checkpoint]
    assert known["sha256"] in told["capabilities"]["warm"]
    assert "sample" in {speed["kind"] for speed in get(f"{api}/queue")["speeds"]}
