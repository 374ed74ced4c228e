"""A database whose disk is full, or that another program locks for 20 s: all of it passes."""

import contextlib
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from darkroom.web import create_app, end_streams
from jobs.database import Database
from jobs.tables import Job, Shard
from tests.chaos.small_disks import SmallDisk, small_disk

pytestmark = pytest.mark.chaos

LONG = {"count": 4, "num_inference_steps": 200, "seed": 6}
LOCKED_SECONDS = 20.0
CROWD = 20  # requests at a time, more than there are connections to write with
LOCKER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "data") as disk:
        yield disk


@pytest.fixture
def database_url(disk: SmallDisk, migrated_file: Path) -> str:
    path = disk.folder / "darkroom.sqlite"
    shutil.copy(migrated_file, path)
    return f"sqlite:///{path}"


@pytest.fixture
def client(system: Any) -> Iterator[Any]:
    app = create_app(system.settings)
    yield app.test_client()
    end_streams(app)


@pytest.fixture
def running(system: Any, checkpoint: str) -> Any:
    """A quiet run, and the same job again while it runs."""
    system.start_dispatcher()
    system.start_worker()
    quiet = system.submit(checkpoint=checkpoint, **LONG)
    system.wait_ended(quiet.id)
    job = system.submit(checkpoint=checkpoint, **LONG)
    system.wait_done(job.id, 40)
    return quiet, job


def counts(system: Any) -> list[int]:
    """Rows of jobs and of shards."""
    database = Database(system.settings.database_url)
    with database.read() as session:
        found = [session.scalar(select(func.count()).select_from(table)) for table in (Job, Shard)]
    database.close()
    return found


@contextlib.contextmanager
def locked(system: Any) -> Iterator[subprocess.Popen[str]]:
    """Within, another process holds the database locked.

    It must be another one: POSIX knows no locks between two libraries of one process.
    """
    path = system.settings.database_url.removeprefix("sqlite:///")
    process = subprocess.Popen(
        [sys.executable, "-c", LOCKER, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:  # its end closes the pipes
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        yield process


def ended_as_in_a_quiet_run(system: Any, quiet: Any, job: Any) -> None:
    assert system.wait_ended(job.id).status == "succeeded"
    assert system.images(job.id) == system.images(quiet.id)
    for shard in system.service.list_shards(job.id):
        assert (shard.attempt, shard.losses) == (1, 0)


def test_a_full_disk_of_the_database_is_said_and_passes(
    disk, system, running, checkpoint, client
) -> None:
    quiet, job = running
    body = {"kind": "sample", "params": {"checkpoint": checkpoint, "count": 10_000}}
    before = counts(system)

    with disk.full():
        refused = [client.post("/api/v1/jobs", json=body) for _ in range(2)]
        ready = client.get("/readyz")
        page = client.get(f"/jobs/{job.id}")
        time.sleep(3)  # reports come, and cannot be recorded

    assert [(each.status_code, each.json["code"]) for each in refused] == [
        (503, "storage_full")
    ] * 2
    assert refused[0].headers["Retry-After"] == "5"
    assert refused[0].mimetype == "application/problem+json"
    assert (ready.status_code, ready.json["database"]) == (503, "storage_full")
    assert "disk of the database is full" in ready.json["reasons"][0]
    assert page.status_code == 200
    assert counts(system) == before
    ended_as_in_a_quiet_run(system, quiet, job)
    assert client.post("/api/v1/jobs", json=body).status_code == 202


@pytest.mark.thorough
def test_a_database_that_is_locked_for_20_seconds_is_said_and_passes(
    system, running, checkpoint, client
) -> None:
    quiet, job = running
    body = {"kind": "sample", "params": {"checkpoint": checkpoint, "count": 1}}
    before = counts(system)

    def post(asked: dict[str, Any]) -> Any:
        return client.application.test_client().post("/api/v1/jobs", json=asked)

    with locked(system):
        until = time.monotonic() + LOCKED_SECONDS
        with ThreadPoolExecutor(CROWD) as crowd:
            asked = [crowd.submit(post, body) for _ in range(CROWD)]
            began = time.monotonic()
            listed = client.get("/api/v1/jobs")
            seconds = time.monotonic() - began
            refused = [each.result() for each in asked]
        ready = client.get("/readyz")
        page = client.post(f"/jobs/{quiet.id}/retry", data={})
        while time.monotonic() < until:
            time.sleep(0.1)

    assert {(each.status_code, each.json["code"]) for each in refused} == {(503, "database_busy")}
    assert refused[0].headers["Retry-After"] == "5"
    assert seconds < 4  # writers wait 5 s for the lock
    assert (ready.status_code, ready.json["database"]) == (503, "database_busy")
    assert len(listed.json["items"]) == 2
    assert (page.status_code, page.mimetype) == (503, "text/html")
    assert counts(system) == before
    ended_as_in_a_quiet_run(system, quiet, job)


def test_a_dispatcher_that_starts_while_the_database_is_locked_waits(
    system, checkpoint, eventually
) -> None:
    job = system.submit(checkpoint=checkpoint, count=1, num_inference_steps=2)
    with locked(system):
        dispatcher = system.start_dispatcher()
        eventually(lambda: "trying again" in system.logs(), 60, "for its word")

    system.start_worker()
    assert system.wait_ended(job.id).status == "succeeded"
    assert dispatcher.process.poll() is None
