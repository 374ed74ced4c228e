"""An artifact store that is full, read-only or away, and a full disk of a worker: all of it passes.

Each test hinders a running system, sees that people are told why and that nothing fails, and takes
the hindrance away: the job ends by itself with the bytes of a quiet run.
"""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from darkroom.web import create_app, end_streams
from formats.pictures import encode_png
from tests.chaos.small_disks import SmallDisk, small_disk
from tests.system.slowness import slowed

pytestmark = pytest.mark.chaos

LONG = {"count": 4, "num_inference_steps": 150, "seed": 5}
FACE = np.random.default_rng(5).integers(0, 256, (48, 48), np.uint8)


@contextlib.contextmanager
def full(disk: SmallDisk) -> Iterator[None]:
    with disk.full():
        yield


@contextlib.contextmanager
def read_only(disk: SmallDisk) -> Iterator[None]:
    with disk.read_only():
        yield


@contextlib.contextmanager
def away(disk: SmallDisk) -> Iterator[None]:
    """As where a network folder is not mounted: an empty folder in its place."""
    with small_disk(disk.folder, 16):
        yield
        assert not any(disk.folder.iterdir())  # nothing went where nobody would find it


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A small disk below the artifact store."""
    with small_disk(tmp_path / "artifacts") as disk:
        yield disk


@pytest.fixture
def client(disk: SmallDisk, system: Any) -> Iterator[Any]:
    app = create_app(system.settings)
    yield app.test_client()
    end_streams(app)


@dataclass(frozen=True)
class Hindrance:
    """What is done to the disk, and what is said of it."""

    begin: Callable[[SmallDisk], AbstractContextManager[None]]
    reason: str
    condition: str
    code: str


HINDRANCES = [
    Hindrance(full, "No space left on device", "full", "storage_full"),
    Hindrance(read_only, "Read-only file system", "read_only", "artifact_store_error"),
    Hindrance(away, "is it mounted?", "unreachable", "artifact_store_error"),
]


@pytest.mark.parametrize("hindrance", HINDRANCES, ids=lambda each: each.begin.__name__)
def test_a_job_waits_for_the_artifact_store_and_says_why(
    disk, system, checkpoint, client, eventually, hindrance
) -> None:
    system.start_dispatcher()
    worker = system.start_worker(save_seconds=0.3)
    quiet = system.submit(checkpoint=checkpoint, **LONG)
    system.wait_ended(quiet.id)

    with contextlib.ExitStack() as hindered:
        with slowed(worker):
            job = system.submit(checkpoint=checkpoint, **LONG)
            system.wait_done(job.id, 40)
            hindered.enter_context(hindrance.begin(disk))
        cannot_save = eventually(lambda: system.job(job.id).notice, 20, "for a reason")
        ready = client.get("/readyz")
        upload = client.post("/api/v1/uploads", data=encode_png(FACE), content_type="image/png")
        waits = eventually(
            lambda: (said := system.job(job.id).notice) and "it tries again" in said and said,
            30,
            "for the shard to wait with what it made",
        )
        assert system.job(job.id).status == "running"
        (shard, _) = system.service.list_shards(job.id)
        assert (shard.status, shard.attempt, shard.notice) == ("running", 1, waits)

    assert "goes on, but cannot save" in cannot_save or "tries again" in cannot_save
    assert hindrance.reason in waits
    assert shard.worker in waits
    assert (ready.status_code, ready.json["artifacts"]) == (200, hindrance.condition)
    assert len(ready.json["reasons"]) == 1
    assert (upload.status_code, upload.json["code"]) == (503, hindrance.code)
    assert upload.headers["Retry-After"] == "5"
    assert system.service.list_uploads() == []
    ended = system.wait_ended(job.id)
    assert (ended.status, ended.notice) == ("succeeded", None)
    assert system.images(job.id) == system.images(quiet.id)
    assert all(shard.losses == 0 for shard in system.service.list_shards(job.id))
    assert not list(disk.folder.rglob("*.partial"))


def test_a_job_that_waits_for_the_store_can_be_canceled_and_its_slot_is_free(
    disk, system, checkpoint, eventually
) -> None:
    system.start_dispatcher()
    system.start_worker()
    with disk.full():
        job = system.submit(checkpoint=checkpoint, count=2, num_inference_steps=30)
        eventually(lambda: system.job(job.id).notice, 60, "for a reason")
        system.service.cancel(job.id)
        eventually(lambda: not system.service.list_workers()[0].running, 30, "for a free slot")

    following = system.submit(checkpoint=checkpoint, count=1, num_inference_steps=2)
    assert system.wait_ended(following.id).status == "succeeded"
    assert system.job(job.id).status == "canceled"


@pytest.mark.thorough
def test_a_worker_without_room_on_its_own_disk_waits_for_it(
    system, checkpoint, tmp_path, eventually, monkeypatch
) -> None:
    with small_disk(tmp_path / "temporary") as disk:
        monkeypatch.setenv("TMPDIR", str(disk.folder))
        system.start_dispatcher()
        system.start_worker()
        first = system.submit(checkpoint=checkpoint, count=1, num_inference_steps=2)
        system.wait_ended(first.id)  # the engine has chosen where its temporary files lie
        with disk.full():
            job = system.submit(checkpoint="bundled", count=1, num_inference_steps=2)
            said = eventually(lambda: system.job(job.id).notice, 30, "for a reason")
            assert "waits for room on its disk" in said
            assert "No space left on device" in said
            assert system.job(job.id).status == "running"

        assert system.wait_ended(job.id).status == "succeeded"
        system.close()


@pytest.mark.thorough
def test_a_full_disk_of_redis_only_makes_jobs_wait(
    system, redis_server, checkpoint, tmp_path, eventually
) -> None:
    redis_server.stop()
    with small_disk(tmp_path / "redis", 8) as disk:
        redis_server.start()
        system.start_dispatcher()
        worker = system.start_worker()
        with disk.full():
            fill(redis_server, eventually)
            job = system.submit(checkpoint=checkpoint, count=2, num_inference_steps=5)
            assert job.status == "queued"
            lost = "Connection to broker lost"  # Redis refuses the consumer's own question, too
            eventually(lambda: lost in system.logs(), 20, "for the worker to be refused")

        assert system.wait_ended(job.id).status == "succeeded"
        assert worker.process.poll() is None  # the same one waited: it was not started again
        system.close()
        redis_server.stop()


def fill(redis_server: Any, eventually: Any) -> None:
    """Write until Redis notices that its disk is full, and refuses."""
    client = redis_server.client()

    def refuses() -> str | None:
        try:
            client.set("filling", "x" * 10_000)
        except Exception as error:  # its own word for it
            return str(error) if "MISCONF" in str(error) else None
        return None

    assert "No space left" in eventually(refuses, 20, "for Redis to refuse")
    client.close()
