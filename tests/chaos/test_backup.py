"""A backup taken while jobs run and more are submitted, put back elsewhere: all of it opens."""

import hashlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from darkroom.schema import migrate
from darkroom.web import create_app, end_streams
from jobs.artifacts import ArtifactStore
from jobs.backup import BackupError, make_backup, read_description
from jobs.database import Database
from jobs.restoring import NEW_ATTEMPTS, restore_backup
from jobs.settings import WebSettings
from tests.system.conftest import System
from tests.system.slowness import slowed

pytestmark = pytest.mark.chaos

SMALL = {"count": 3, "num_inference_steps": 3}
LONG = {"count": 4, "num_inference_steps": 400, "seed": 11}


def say_nothing(_words: str) -> None:
    pass


def darkroom(system: Any, *arguments: str, **settings: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "darkroom", *arguments],
        env=os.environ | system.environment(**settings),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


class Submitter:
    """Goes on submitting small jobs until it is told to end."""

    def __init__(self, system: Any, checkpoint: str) -> None:
        self.submitted: list[str] = []
        self._has_ended = threading.Event()

        def submit() -> None:
            while not self._has_ended.wait(0.1):
                self.submitted.append(system.submit(checkpoint=checkpoint, **SMALL).id)

        self._thread = threading.Thread(target=submit)
        self._thread.start()

    def end(self) -> None:
        self._has_ended.set()
        self._thread.join()


def check_every_job(settings: WebSettings) -> tuple[int, int]:
    """Open every job of a system through its API, and every artifact; how many there are."""
    app = create_app(settings)
    client = app.test_client()
    jobs = client.get("/api/v1/jobs?limit=200").json["items"]
    artifacts = 0
    for job in jobs:
        assert client.get(f"/api/v1/jobs/{job['id']}").status_code == 200
        assert client.get(f"/jobs/{job['id']}").status_code == 200
        for artifact in client.get(f"/api/v1/jobs/{job['id']}/artifacts").json["items"]:
            content = client.get(artifact["links"]["self"]).data
            assert hashlib.sha256(content).hexdigest() == artifact["sha256"]
            artifacts += 1
    for checkpoint in client.get("/api/v1/checkpoints").json["items"]:
        content = client.get(f"/api/v1/checkpoints/{checkpoint['id']}/file").data
        assert hashlib.sha256(content).hexdigest() == checkpoint["sha256"]
    end_streams(app)
    return len(jobs), artifacts


def work(system: Any, checkpoint: str) -> tuple[Any, list[str]]:
    """A quiet run, and small jobs that have ended."""
    quiet = system.submit(checkpoint=checkpoint, **LONG)
    system.wait_ended(quiet.id)
    ended = [system.submit(checkpoint=checkpoint, **SMALL).id for _ in range(3)]
    for each in ended:
        system.wait_ended(each)
    return quiet, ended


def goes_on(restored: System, quiet: Any, running: Any) -> None:
    """What ran when the backup was made comes to the same end in the restored system."""
    assert restored.job(running.id).status == "running"
    (shard, _) = restored.service.list_shards(running.id)
    assert (shard.status, shard.attempt, shard.worker) == ("queued", NEW_ATTEMPTS + 1, None)
    restored.start_dispatcher()
    restored.start_worker()
    assert restored.wait_ended(running.id).status == "succeeded"
    assert restored.images(running.id) == restored.images(quiet.id)
    (shard, _) = restored.service.list_shards(running.id)
    assert (shard.attempt, shard.losses) == (NEW_ATTEMPTS + 2, 0)
    assert restored.job(quiet.id).status == "succeeded"
    restored.close()


@pytest.mark.both_databases
def test_a_backup_under_load_opens_elsewhere_and_goes_on(
    system, checkpoint, tmp_path, redis_server, eventually, empty_database_url
) -> None:
    system.start_dispatcher()
    worker = system.start_worker(save_seconds=0.2)
    quiet, ended = work(system, checkpoint)
    with slowed(worker):
        running = system.submit(checkpoint=checkpoint, **LONG)
        system.wait_done(running.id, 40)
        submitter = Submitter(system, checkpoint)
        eventually(lambda: len(submitter.submitted) > 2)
        made = darkroom(system, "backup", str(tmp_path / "backup"))
        submitter.end()
        assert system.job(running.id).status == "running"
    assert made.returncode == 0, made.stderr
    system.close()
    redis_server.flush()

    place = {
        "database_url": empty_database_url,
        "artifacts_url": str(tmp_path / "elsewhere" / "artifacts"),
    }
    back = darkroom(system, "restore", str(tmp_path / "backup"), **place)
    assert back.returncode == 0, back.stderr
    again = darkroom(system, "restore", str(tmp_path / "backup"), **place)
    assert again.returncode == 1
    assert "is not empty: nothing is overwritten" in again.stderr

    settings = system.settings.model_copy(update=place)
    jobs, artifacts = check_every_job(settings)
    assert jobs >= len(ended) + 2
    assert artifacts >= 3 * (len(ended) + 1)
    goes_on(System(settings, system.folder, system._line), quiet, running)


@pytest.fixture
def elsewhere(tmp_path: Path, empty_database_url: str) -> tuple[Database, ArtifactStore]:
    database = Database(empty_database_url)
    return database, ArtifactStore(str(tmp_path / "elsewhere" / "artifacts"))


@pytest.fixture
def kept(system: Any, tmp_path: Path) -> ArtifactStore:
    """A backup of a system with its bundled checkpoints alone."""
    target = ArtifactStore(str(tmp_path / "backup"))
    database = Database(system.settings.database_url)
    make_backup(database, ArtifactStore(system.settings.artifacts_url), target, say_nothing)
    database.close()
    return target


def test_a_damaged_backup_is_refused_with_the_name_of_the_file(kept, elsewhere) -> None:
    database, artifacts = elsewhere
    damaged = next(file for file in read_description(kept).files if "checkpoints/" in file.path)
    kept.write_bytes(f"artifacts/{damaged.path}", b"something else")

    with pytest.raises(BackupError, match=damaged.path):
        restore_backup(kept, database, artifacts, migrate, say_nothing)

    assert "restoring.json" in artifacts.names("")
    database.close()


def test_a_restore_that_is_killed_is_begun_again(
    kept, elsewhere, tmp_path, system, empty_database_url
) -> None:
    database, artifacts = elsewhere
    database.close()
    script = (
        "import os, signal, sys\n"
        "from darkroom.schema import migrate\n"
        "from jobs.artifacts import ArtifactStore\n"
        "from jobs.database import Database\n"
        "from jobs import restoring\n"
        "class Deadly(ArtifactStore):\n"
        "    def write_bytes(self, path, data):\n"
        "        super().write_bytes(path, data)\n"
        "        if path.startswith('checkpoints/'):\n"
        "            os.kill(os.getpid(), signal.SIGKILL)\n"
        "restoring.restore_backup(ArtifactStore(sys.argv[1]), Database(sys.argv[2]),\n"
        "    Deadly(sys.argv[3]), migrate, print)\n"
    )
    url = empty_database_url
    killed = subprocess.run(
        [sys.executable, "-c", script, kept.url, url, artifacts.url], check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert artifacts.names("checkpoints")

    restore_backup(kept, Database(url), artifacts, migrate, say_nothing)

    assert check_every_job(
        system.settings.model_copy(update={"database_url": url, "artifacts_url": artifacts.url})
    ) == (0, 0)
    assert "restoring.json" not in artifacts.names("")


def test_what_the_store_has_lost_is_told_and_the_rest_is_kept(system, checkpoint, tmp_path) -> None:
    database = Database(system.settings.database_url)
    artifacts = ArtifactStore(system.settings.artifacts_url)
    lost = system.service.get_checkpoint(checkpoint).sha256
    artifacts.delete(f"checkpoints/{lost}.safetensors")
    target = ArtifactStore(str(tmp_path / "backup"))

    made = darkroom(system, "backup", target.url)

    assert made.returncode == 1
    assert f"checkpoints/{lost}.safetensors is missing" in made.stderr
    assert read_description(target).damaged == [f"checkpoints/{lost}.safetensors"]
    assert darkroom(system, "backup", target.url).returncode == 1  # the place is not empty
    database.close()
