"""The whole of Darkroom on one computer, as `darkroom up` runs it."""

import contextlib
import fcntl
import logging
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

import click

from darkroom.client import Client
from darkroom.embedded_redis import EmbeddedRedis
from darkroom.lifeline import lifeline
from darkroom.schema import migrate
from darkroom.server_error import ServerError
from darkroom.stop import Stop, stop_signals
from darkroom.supervisor import POLL_SECONDS, WORKER_GRACE, Output, Program, Supervisor
from jobs.settings import WebSettings

log = logging.getLogger(__name__)

BACKLOG = 2048
PROBE_SECONDS = 0.3
START_SECONDS = 120.0  # until everything must serve
ROAD, PROGRAMS, WORKERS = range(3)  # stages: Redis outlives all, workers end first


@dataclass(frozen=True)
class Plan:
    """Where a stack keeps its data, where it listens, how many workers and GPUs it has."""

    data_dir: Path
    settings: WebSettings
    workers: int
    gpus: int = 0


def run(plan: Plan, output: TextIO, on_ready: Callable[[str], None]) -> None:
    """Run Redis, web, dispatcher and workers until SIGINT or SIGTERM; restart what dies.

    Args:
        plan: of the stack.
        output: where the children's lines go.
        on_ready: called once, with the URL, when everything serves.

    Raises:
        click.ClickException: another stack uses the data folder, the port is taken, no Redis is
            to be had, or something did not start in time.
    """
    with (
        only_one(plan.data_dir),
        listen(plan.settings.host, plan.settings.port) as listener,
        lifeline() as line,
        stop_signals() as stop,
    ):
        redis = EmbeddedRedis(plan.data_dir / "redis")
        supervisor = Supervisor(Output(output))
        try:
            for program in programs(plan, redis, listener, line):
                supervisor.start(program)
            url = wait_until_ready(plan, listener, supervisor, stop)
            if url:
                on_ready(url)
            while not stop.is_asked:
                supervisor.keep_running()
                time.sleep(POLL_SECONDS)
        finally:
            supervisor.stop(lambda: stop.is_urgent)


def programs(
    plan: Plan, redis: EmbeddedRedis, listener: socket.socket, line: int
) -> Iterator[Program]:
    """The programs of a stack, in the order of their start; the database is migrated between."""
    data_dir = plan.data_dir.resolve()
    environment = {
        "DARKROOM_REDIS_URL": redis.url,
        "DARKROOM_DATABASE_URL": f"sqlite:///{data_dir / 'darkroom.sqlite'}",
        "DARKROOM_ARTIFACTS_URL": str(data_dir / "artifacts"),
        "DARKROOM_HOST_ENGINES": str(max(plan.workers, 1)),
        "PYTHONUNBUFFERED": "1",
    }
    darkroom = [sys.executable, "-m", "darkroom", "--lifeline", str(line)]
    yield Program("redis", redis.prepare(), ROAD)
    migrate(environment["DARKROOM_DATABASE_URL"])
    yield Program("dispatcher", [*darkroom, "dispatcher"], PROGRAMS, environment, (line,))
    web = [*darkroom, "web", "--listen-fd", str(listener.fileno())]
    yield Program("web", web, PROGRAMS, environment, (line, listener.fileno()))
    for number in range(1, plan.workers + 1):
        # in turn, where there are several GPUs; a device that was set is for all
        own = {"DARKROOM_DEVICE": f"cuda:{(number - 1) % plan.gpus}"} if plan.gpus > 1 else {}
        yield Program(
            f"worker-{number}",
            [*darkroom, "worker"],
            WORKERS,
            environment | own | _chosen_device(),
            (line,),
            WORKER_GRACE,
        )


def _chosen_device() -> dict[str, str]:
    """The device that the user set for all workers; with `auto` each takes its own."""
    device = os.environ.get("DARKROOM_DEVICE", "auto")
    return {} if device == "auto" else {"DARKROOM_DEVICE": device}


def wait_until_ready(
    plan: Plan, listener: socket.socket, supervisor: Supervisor, stop: Stop
) -> str | None:
    """Wait until the API answers, reaches the broker and knows every worker's engine ready.

    Returns:
        The URL, or None if asked to stop before.

    Raises:
        click.ClickException: that took longer than two minutes.
    """
    url = own_url(listener)
    started_at = datetime.now(UTC)
    deadline = time.monotonic() + START_SECONDS
    api_key = next(iter(plan.settings.api_keys), None)
    next_probe = 0.0
    missing = "the API"
    with Client(url, api_key, timeout=2.0) as client:
        while not stop.is_asked:
            supervisor.keep_running()
            if time.monotonic() >= next_probe:
                found = what_is_missing(client, plan.workers, started_at)
                if found is None:
                    return url
                missing = found
                next_probe = time.monotonic() + PROBE_SECONDS
            if time.monotonic() > deadline:
                raise click.ClickException(f"{missing} did not start within {START_SECONDS:.0f} s")
            time.sleep(POLL_SECONDS)
    return None


def what_is_missing(client: Client, workers: int, started_at: datetime) -> str | None:
    """What does not serve yet, or None."""
    try:
        if client.readiness().get("broker") != "ok":
            return "Redis"
        ready = sum(
            worker.first_seen_at >= started_at and worker.slots > 0
            for worker in client.list_workers()
        )
    except ServerError as error:
        return f"the API ({error.message})"
    return None if ready >= workers else f"a worker ({ready} of {workers} ready)"


def own_url(listener: socket.socket) -> str:
    """Where this computer reaches the listener."""
    host, port = listener.getsockname()[:2]
    if host in ("0.0.0.0", "::"):
        host = "127.0.0.1" if host == "0.0.0.0" else "::1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextlib.contextmanager
def listen(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that outlives restarts of the web program: meanwhile, requests wait in its queue.

    Raises:
        click.ClickException: the address cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise click.ClickException(
            f"cannot listen on port {port} of {host} ({error.strerror}); "
            "choose another with --port, 0 takes any free one"
        ) from error
    with listener:
        yield listener


@contextlib.contextmanager
def only_one(data_dir: Path) -> Iterator[None]:
    """Hold the data folder, which is made if need be, alone.

    Raises:
        click.ClickException: another `darkroom up` holds it.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    with (data_dir / "up.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.seek(0)
            raise click.ClickException(
                f"{data_dir} is in use by another `darkroom up` (process {lock.read().strip()}); "
                "end that one, or choose another folder with --data-dir"
            ) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
