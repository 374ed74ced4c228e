"""Fixtures of all tests: real servers and files, each made anew and ended by its process id."""

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import redis
from alembic import command
from alembic.config import Config
from hypothesis import settings

from formats.architectures import unet_shapes
from formats.checkpoint import write_checkpoint
from formats.description import CheckpointDescription
from jobs import streams
from jobs.settings import WebSettings
from tests.ports import free_port_of
from tests.postgresql_server import PostgresServer, find_postgresql

ROOT = Path(__file__).parent.parent
START_SECONDS = 60.0
PATIENCE_SECONDS = 10.0
TEST_DATABASE = "DARKROOM_TEST_DATABASE"
DATABASES = ("sqlite", "postgresql")
BOTH = "both"

settings.register_profile("chaos", print_blob=True)


@pytest.fixture(autouse=True)
def _patient_hints(monkeypatch: pytest.MonkeyPatch) -> None:
    """A web program waits for Redis a moment only; these tests are not about that moment."""
    monkeypatch.setattr(streams, "HINT_TIMEOUT_SECONDS", PATIENCE_SECONDS)


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """Gives a port on 127.0.0.1 that nobody listens on."""
    return free_port_of


class RedisServer:
    """A real redis-server of this test's own, that can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port_of()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        arguments = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder)]
        arguments += ["--appendonly", "yes", "--appendfsync", "everysec", "--save", ""]
        log = (self.folder / "redis.log").open("ab")
        self._process = subprocess.Popen(["redis-server", *arguments], stdout=log, stderr=log)
        log.close()
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            is_hopeful = self._process.poll() is None and time.monotonic() < deadline
            assert is_hopeful, (self.folder / "redis.log").read_text()
            time.sleep(0.02)

    def _answers(self) -> bool:
        """Whether this very server does, and not another one that took its port."""
        assert self._process is not None
        with self.client() as client, contextlib.suppress(redis.exceptions.RedisError):
            is_ours = client.info("server")["process_id"] == self._process.pid
            return is_ours and bool(client.ping())  # it tells of itself while it still loads
        return False

    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url, protocol=2)

    def flush(self) -> None:
        client = self.client()
        client.flushall()
        client.close()

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(START_SECONDS)
            self._process = None

    def stop(self) -> None:
        self.kill(signal.SIGTERM)

    def forget(self) -> None:
        """Lose everything that was written to disk (only while it is down)."""
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """A running Redis of this test's own."""
    if shutil.which("redis-server") is None:
        pytest.fail("redis-server is not installed: `make test` installs it")
    server = RedisServer(tmp_path / "redis")
    server.start()
    yield server
    server.kill()  # an orderly end would take it 0.1 s, in each of a thousand tests


def migrate(database_url: str) -> None:
    """Bring a database to the newest schema."""
    config = Config(toml_file=ROOT / "pyproject.toml")
    config.attributes["database_url"] = database_url
    command.upgrade(config, "head")


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the newest schema, to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "darkroom.sqlite"
    migrate(f"sqlite:///{path}")
    return path


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what is marked so on both databases, unless the environment says which.

    BOTH there runs all attacks on both but the thorough ones, which go to SQLite.
    """
    asked = os.environ.get(TEST_DATABASE)
    marks = {mark.name for mark in metafunc.definition.iter_markers()}
    is_attack = "chaos" in marks and "thorough" not in marks
    is_for_both = "both_databases" in marks if asked is None else asked == BOTH and is_attack
    if is_for_both and "database_kind" in metafunc.fixturenames:
        metafunc.parametrize("database_kind", DATABASES)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say at the end what tests have to tell (`record_property("told", …)`), failed or not."""
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for told in (value for name, value in report.user_properties if name == "told"):
                terminalreporter.write_line(str(told))


@pytest.fixture
def database_kind() -> str:
    """On which database this test runs: DARKROOM_TEST_DATABASE puts all of them on one."""
    kind = os.environ.get(TEST_DATABASE, "sqlite")
    allowed = (*DATABASES, BOTH)
    assert kind in allowed, f"{TEST_DATABASE} must be one of {allowed}, not {kind!r}"
    return "sqlite" if kind == BOTH else kind


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A running PostgreSQL of these tests' own, which holds a migrated database."""
    programs = find_postgresql()
    if programs is None:
        pytest.skip("PostgreSQL is not installed: `make test` installs it where it may")
    server = PostgresServer(programs, free_port_of())
    try:
        server.start()
        server.execute("CREATE DATABASE migrated")
        migrate(server.url("migrated"))
        yield server
    finally:
        server.stop()
        server.forget()


@pytest.fixture
def database_url(
    tmp_path: Path, database_kind: str, request: pytest.FixtureRequest
) -> Iterator[str]:
    """The URL of a migrated database of this test's own."""
    if database_kind == "sqlite":
        path = tmp_path / "data" / "darkroom.sqlite"
        path.parent.mkdir()
        shutil.copy(request.getfixturevalue("migrated_file"), path)
        yield f"sqlite:///{path}"
    else:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        with server.database(f"test_{secrets.token_hex(4)}", "migrated") as url:
            yield url


@pytest.fixture
def empty_database_url(
    tmp_path: Path, database_kind: str, request: pytest.FixtureRequest
) -> Iterator[str]:
    """The URL of a database of this test's own in which nothing is."""
    if database_kind == "sqlite":
        yield f"sqlite:///{tmp_path}/new/darkroom.sqlite"
    else:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        with server.database(f"test_{secrets.token_hex(4)}") as url:
            yield url


@pytest.fixture
def web_settings(tmp_path: Path, database_url: str, redis_server: RedisServer) -> WebSettings:
    """Settings of a web program over this test's own database, Redis and artifact folder."""
    return WebSettings(
        redis_url=redis_server.url,
        database_url=database_url,
        artifacts_url=str(tmp_path / "artifacts"),
        host="127.0.0.1",
        port=0,
    )


class ServedWeb:
    """A real `darkroom web` on a socket that listens already, so that its port is known."""

    def __init__(self, settings: WebSettings, log: Path) -> None:
        self._log = log
        given = settings.model_dump(mode="json")
        named = {f"DARKROOM_{name.upper()}": value for name, value in given.items()}
        texts = {k: v if isinstance(v, str) else json.dumps(v) for k, v in named.items()}
        with socket.create_server(("127.0.0.1", 0)) as listener, log.open("ab") as output:
            self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            descriptor = listener.fileno()
            self.process = subprocess.Popen(
                [sys.executable, "-m", "darkroom", "web", "--listen-fd", str(descriptor)],
                env=os.environ | texts,
                pass_fds=[descriptor],
                stdout=output,
                stderr=output,
            )

    @property
    def log(self) -> str:
        return self._log.read_text()

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Give the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(START_SECONDS)


@pytest.fixture
def serve_web(tmp_path: Path) -> Iterator[Callable[[WebSettings], ServedWeb]]:
    """Serves web programs that end with the test."""
    served: list[ServedWeb] = []

    def serve(settings: WebSettings) -> ServedWeb:
        served.append(ServedWeb(settings, tmp_path / "web.log"))
        return served[-1]

    yield serve
    for each in served:
        each.stop(signal.SIGINT)  # SIGTERM would wait for idle connections


@pytest.fixture
def native_file(tmp_path: Path) -> Path:
    """A native checkpoint of width 2."""
    random = np.random.default_rng(7)
    arrays = {
        name: random.standard_normal(shape).astype(np.float32)
        for name, shape in unet_shapes(2).items()
    }
    path = tmp_path / "small.safetensors"
    write_checkpoint(path, arrays, CheckpointDescription("unet", 2))
    return path
