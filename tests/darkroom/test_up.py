"""`darkroom up`: starts all, restarts what dies, ends all, and leaves nobody behind."""

import os
import signal
import socket
import time
from collections.abc import Callable
from typing import Any

import httpx
import psutil
import pytest

StartUp = Callable[..., Any]
CHILDREN = ("web", "dispatcher", "redis", "worker")
READY = {"database": "ok", "broker": "ok", "artifacts": "ok", "reasons": []}


def eventually(ask: Callable[[], bool], seconds: float = 90.0) -> None:
    deadline = time.monotonic() + seconds
    while not ask():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def readiness(url: str) -> dict[str, Any] | None:
    try:
        return dict(httpx.get(f"{url}/readyz", timeout=5).json())
    except httpx.TransportError:
        return None


def alive(processes: list[psutil.Process], seconds: float = 15.0) -> list[psutil.Process]:
    return psutil.wait_procs(processes, timeout=seconds)[1]


def test_it_serves_once_it_says_ready_and_ends_all_on_ctrl_c(start_up: StartUp) -> None:
    up = start_up("--workers", "2")

    url = up.url
    workers = httpx.get(f"{url}/api/v1/workers", timeout=30).json()["items"]
    tree = up.tree()
    code = up.press_ctrl_c()

    assert up.lines == [f"ready {url}"]
    assert len(workers) == 2
    assert all(worker["slots"] == 1 for worker in workers)
    assert len(tree) >= 7  # Redis, dispatcher, web and its worker process, 2 × (consumer, engine)
    assert code == 0
    assert alive(tree, 1) == []


@pytest.mark.chaos
def test_children_that_are_killed_are_started_again(start_up: StartUp) -> None:
    up = start_up()
    url = up.url
    before = {
        worker["id"] for worker in httpx.get(f"{url}/api/v1/workers", timeout=30).json()["items"]
    }

    for name in CHILDREN:
        killed = up.child(name)
        killed.kill()
        eventually(lambda name=name, killed=killed: is_another(up, name, killed))
        eventually(lambda: readiness(url) == READY)

    eventually(
        lambda: any(
            worker["id"] not in before and worker["slots"]
            for worker in httpx.get(f"{url}/api/v1/workers", timeout=30).json()["items"]
        )
    )
    told = "ended with signal SIGKILL; starting it again in 0.2 s"
    assert up.log.read_text().count(told) == len(CHILDREN)


def is_another(up: Any, name: str, killed: psutil.Process) -> bool:
    try:
        return bool(up.child(name).pid != killed.pid)
    except (LookupError, psutil.NoSuchProcess, IndexError):
        return False


@pytest.mark.chaos
def test_nobody_outlives_a_killed_up_and_the_next_one_starts(start_up: StartUp) -> None:
    up = start_up()
    assert up.url
    tree = up.tree()

    up.stop(signal.SIGKILL)

    assert alive(tree, 40) == []
    assert start_up("--workers", "0").url


def test_a_second_one_on_the_same_data_is_refused_and_told_by_whom(
    shared_up: Any, darkroom: Callable[..., Any]
) -> None:
    second = darkroom("up", "--port", "0", "--data-dir", str(shared_up.data_dir))

    assert second.returncode == 1
    assert f"process {shared_up.process.pid}" in second.stderr
    eventually(lambda: readiness(shared_up.url) == READY)  # of Redis it asks a moment only


def test_a_port_in_use_is_named(darkroom: Callable[..., Any]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = darkroom("up", "--port", str(port))

    assert refused.returncode == 1
    assert f"cannot listen on port {port} of 127.0.0.1" in refused.stderr
    assert "--port" in refused.stderr


def test_listening_for_others_without_keys_is_refused(darkroom: Callable[..., Any]) -> None:
    refused = darkroom("web", "--host", "0.0.0.0", "--port", "0")

    assert refused.returncode == 1
    assert "DARKROOM_API_KEYS" in refused.stderr


def test_with_keys_it_finds_itself_ready_and_asks_others_for_a_key(start_up: StartUp) -> None:
    up = start_up("--workers", "0", DARKROOM_API_KEYS='{"secret": "ada"}')

    assert httpx.get(f"{up.url}/api/v1/jobs", timeout=30).status_code == 401
    allowed = httpx.get(
        f"{up.url}/api/v1/jobs", timeout=30, headers={"Authorization": "Bearer secret"}
    )
    assert allowed.status_code == 200


def test_its_redis_asks_for_a_password(shared_up: Any) -> None:
    configuration = shared_up.data_dir / "redis" / "redis.conf"

    assert "requirepass" in configuration.read_text()
    assert os.stat(configuration).st_mode & 0o077 == 0
