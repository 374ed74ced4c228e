"""Sweeping, and deletion by age: what nobody needs goes, and nothing else."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select, update

from formats.pictures import encode_png
from jobs.artifacts import ArtifactStore
from jobs.clock import ClockWatch
from jobs.database import Database
from jobs.deletion import delete_job
from jobs.holding import hold_files
from jobs.settings import WebSettings
from jobs.sweeping import PATIENCE_SECONDS, Sweeper, name_store
from jobs.tables import Fact, Job

pytestmark = pytest.mark.both_databases

API = "/api/v1"
FACE = np.random.default_rng(5).integers(0, 256, (48, 48), np.uint8)

KILLED_BEFORE_THE_FILES_GO = """
import os, signal, sys
from jobs.artifacts import ArtifactStore
from jobs.database import Database
from jobs.deletion import delete_job

class Deadly(ArtifactStore):
    def delete(self, path):
        os.kill(os.getpid(), signal.SIGKILL)

delete_job(Database(sys.argv[1]), Deadly(sys.argv[2]), sys.argv[3])
"""


class House:
    """A sweeper whose clock the test turns, and the store that it sweeps."""

    def __init__(self, settings: WebSettings, keep_days: int = 0) -> None:
        self.database = Database(settings.database_url)
        self.artifacts = ArtifactStore(settings.artifacts_url)
        self.now = 0.0
        self.sweeper = Sweeper(self.database, self.artifacts, keep_days, lambda: self.now)

    def sweep(self, hours: float = 0.0) -> None:
        """A step, so many hours after the last one."""
        self.now += hours * PATIENCE_SECONDS
        self.sweeper.step()

    def ended(self, job_id: str, ago: timedelta) -> None:
        """The job has ended so long ago."""
        with self.database.write() as session:
            ended = update(Job).where(Job.id == job_id)
            session.execute(ended.values(finished_at=datetime.now(UTC) - ago))

    def jobs(self) -> set[str]:
        with self.database.read() as session:
            return set(session.scalars(select(Job.id)))

    def files(self, folder: str = "") -> set[str]:
        root = Path(self.artifacts.url)
        found = (each for each in (root / folder).rglob("*") if each.is_file())
        return {str(each.relative_to(root)) for each in found}


@pytest.fixture
def start_house(client: Any, web_settings: WebSettings) -> Iterator[Callable[..., House]]:
    houses: list[House] = []

    def start(keep_days: int = 0) -> House:
        houses.append(House(web_settings, keep_days))
        return houses[-1]

    yield start
    for each in houses:
        each.database.close()


@pytest.fixture
def house(start_house: Callable[..., House]) -> House:
    return start_house()


def test_of_a_job_that_ended_only_its_artifacts_stay(house, submit, finish, faces) -> None:
    job, canceled, running = submit(count=12), submit(count=12), submit(count=12)
    finish(job, faces)
    artifacts = house.files(f"jobs/{job}")
    litter = ["1-worker-1/state-7.safetensors", "1-worker-1/images.npy.0a1b.partial", "2-late/x"]
    for each in litter:
        house.artifacts.write_bytes(f"jobs/{job}/{job}-0/{each}", b"litter")
    house.artifacts.write_bytes(f"jobs/{canceled}/{canceled}-0/1-w/state-3.safetensors", b"state")
    house.artifacts.write_bytes(f"jobs/{running}/{running}-0/1-w/state-3.safetensors", b"state")
    with house.database.write() as session:
        session.execute(update(Job).where(Job.id == canceled).values(status="canceled"))
    for each in (job, canceled):
        house.ended(each, timedelta(minutes=50))
    before = house.files()

    house.sweep()
    assert house.files("jobs") == {each for each in before if each.startswith("jobs/")}
    for each in (job, canceled):
        house.ended(each, timedelta(minutes=70))
    house.sweep()

    assert house.files(f"jobs/{job}") == artifacts
    assert house.files(f"jobs/{canceled}") == set()
    assert house.files(f"jobs/{running}")
    house.artifacts.write_bytes(f"jobs/{job}/{job}-0/3-later/x", b"")
    house.sweep()
    assert f"jobs/{job}/{job}-0/3-later/x" in house.files()  # a tidied job is not looked at again


def test_what_no_row_names_goes_when_it_was_seen_twice_an_hour_apart(
    house, client, submit, finish, faces
) -> None:
    job = submit(count=12)
    finish(job, faces)
    upload = client.post(f"{API}/uploads", data=encode_png(FACE), content_type="image/png").json
    needed = house.files()
    orphans = {
        "jobs/0123456789abcdef/0123456789abcdef-0/1-w/images.npy",
        f"checkpoints/{'a' * 64}.safetensors",
        f"datasets/{'b' * 64}/faces.npy",
        f"uploads/{'c' * 64}.png",
        f"uploads/{upload['sha256']}.png.0a1b2c3d.partial",
    }
    for each in orphans:
        house.artifacts.write_bytes(each, b"orphan")
    house.artifacts.write_bytes("somebody-elses/file", b"not ours")

    house.sweep()
    house.sweep(hours=0.9)
    assert orphans <= house.files()
    house.sweep(hours=0.2)

    kept = needed | {"somebody-elses/file", "darkroom-store.json"}
    assert house.files() == kept


def test_what_is_named_again_before_its_turn_stays(house, client) -> None:
    answer = client.post(f"{API}/uploads", data=encode_png(FACE), content_type="image/png").json
    path = f"uploads/{answer['sha256']}.png"
    content = house.artifacts.read_bytes(path)
    client.delete(f"{API}/uploads/{answer['id']}")
    house.artifacts.write_bytes(path, content)  # the deletion was killed before the file
    house.sweep()
    client.post(f"{API}/uploads", data=encode_png(FACE), content_type="image/png")

    house.sweep(hours=1.1)

    assert client.get(f"{API}/uploads/{answer['id']}/file").status_code == 200
    house.sweep(hours=1.1)
    assert path in house.files()


def test_a_deletion_that_is_killed_between_row_and_files_is_completed(
    house, submit, finish, faces, web_settings, client
) -> None:
    job = submit(count=12)
    finish(job, faces)
    arguments = [web_settings.database_url, web_settings.artifacts_url, job]

    killed = subprocess.run(
        [sys.executable, "-c", KILLED_BEFORE_THE_FILES_GO, *arguments], check=False
    )

    assert killed.returncode == -signal.SIGKILL
    assert client.get(f"{API}/jobs/{job}").status_code == 404
    assert house.files(f"jobs/{job}")
    house.sweep()
    house.sweep(hours=1.1)
    assert house.files(f"jobs/{job}") == set()


def test_a_store_of_another_database_is_left_alone(house, submit, finish, faces) -> None:
    job = submit(count=12)
    finish(job, faces)
    name_store(house.artifacts, "another")
    house.artifacts.write_bytes("jobs/of-the-other/shard/1-w/images.npy", b"theirs")
    house.ended(job, timedelta(days=1))
    before = house.files()

    for _ in range(3):
        house.sweep(hours=1.1)

    assert house.files() == before


def test_a_new_database_beside_an_old_store_sweeps_nothing(house, submit, finish, faces) -> None:
    job = submit(count=12)
    finish(job, faces)
    house.sweep()
    with house.database.write() as session:
        session.execute(update(Fact).where(Fact.name == "store").values(value={"id": "new"}))
    delete_job(house.database, ArtifactStore("memory://elsewhere"), job)

    for _ in range(3):
        house.sweep(hours=1.1)

    assert house.files(f"jobs/{job}")


def test_while_a_backup_holds_the_files_none_goes(house, client, submit, finish, faces) -> None:
    job = submit(count=12)
    finish(job, faces)
    files = house.files(f"jobs/{job}")
    house.sweep()

    with hold_files(house.database):
        assert client.delete(f"{API}/jobs/{job}").json["files_left"] is True
        house.sweep(hours=1.1)
        house.sweep(hours=1.1)
        assert house.files(f"jobs/{job}") == files

    house.sweep()
    house.sweep(hours=1.1)
    assert house.files(f"jobs/{job}") == set()


def test_a_hold_that_nobody_renews_is_over_after_a_minute(house, client, submit) -> None:
    job = submit()
    client.post(f"{API}/jobs/{job}/cancel")
    said = datetime.now(UTC) - timedelta(seconds=61)
    with house.database.write() as session:
        session.add(Fact(name="backup", value={"said_at": said.isoformat()}))

    assert client.delete(f"{API}/jobs/{job}").json["files_left"] is False


def test_jobs_that_ended_long_ago_are_deleted_children_first(
    start_house, client, submit, finish, faces
) -> None:
    house = start_house(keep_days=30)
    parent, young, running = submit(count=12), submit(count=12), submit(count=12)
    for each in (parent, young):
        finish(each, faces)
    body = {"kind": "report", "params": {"jobs": [parent]}}
    child = client.post(f"{API}/jobs", json=body).json["id"]
    client.post(f"{API}/jobs/{child}/cancel")
    house.ended(parent, timedelta(days=40))
    house.ended(child, timedelta(days=29))
    house.ended(young, timedelta(days=29))

    house.sweep()
    assert house.jobs() == {parent, young, running, child}
    house.ended(child, timedelta(days=31))
    house.sweep()
    house.sweep()

    assert house.jobs() == {young, running}
    assert house.files(f"jobs/{parent}") == set()


def test_without_being_asked_for_no_job_is_deleted_by_its_age(house, submit, finish, faces) -> None:
    job = submit(count=12)
    finish(job, faces)
    house.ended(job, timedelta(days=4000))

    house.sweep()

    assert house.jobs() == {job}


def test_after_a_jump_of_the_clock_nothing_is_deleted_by_age_for_a_day() -> None:
    day = 86400.0
    steady, wall = [0.0], [1_000_000.0]
    watch = ClockWatch(lambda: steady[0], lambda: wall[0])

    def after(seconds: float, jump: float = 0.0) -> bool:
        steady[0] += seconds
        wall[0] += seconds + jump
        return watch.is_trusted()

    assert after(3600)
    assert after(3600, jump=30)  # a correction of seconds is none
    assert not after(60, jump=400 * day)
    assert not after(day / 2)
    assert not after(60, jump=-400 * day)  # and back: another jump
    assert not after(0.9 * day)
    assert after(0.2 * day)
