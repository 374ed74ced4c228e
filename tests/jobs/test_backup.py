"""Backup and restore of either database, without load: what is kept, and what is made ready."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from darkroom.schema import migrate
from jobs.artifacts import ArtifactStore
from jobs.backup import BackupError, make_backup, read_description
from jobs.database import Database
from jobs.facts import BACKUP, keep_fact
from jobs.holding import are_files_held, hold_files
from jobs.requests import SampleJob, SampleParams
from jobs.restoring import NEW_ATTEMPTS, restore_backup
from jobs.sweeping import store_name
from jobs.tables import Checkpoint, Job, Shard

pytestmark = pytest.mark.both_databases


def say_nothing(_words: str) -> None:
    pass


@pytest.fixture
def elsewhere(empty_database_url):
    database = Database(empty_database_url)
    yield database
    database.close()


def submit(service) -> str:
    return service.submit(SampleJob(kind="sample", params=SampleParams(count=1)), "ada").job.id


def test_what_is_backed_up_is_put_back_ready_to_go_on(service, database, elsewhere, tmp_path):
    job = submit(service)
    artifacts = ArtifactStore(service._artifacts.url)
    with database.write() as session:
        keep_fact(session, "store", {"id": "ours"})
        shard = session.get_one(Shard, f"{job}-0")
        shard.status, shard.attempt, shard.holder = "running", 3, "old-worker"
    state = f"jobs/{job}/{job}-0/3-old-worker/state-7.safetensors"
    artifacts.write_bytes(state, b"state")
    kept, new = ArtifactStore(str(tmp_path / "kept")), ArtifactStore(str(tmp_path / "new-store"))

    made = make_backup(database, artifacts, kept, say_nothing)
    late = submit(service)
    restore_backup(kept, elsewhere, new, migrate, say_nothing)

    assert made == read_description(kept)
    assert made.damaged == []
    assert new.read_bytes(state) == b"state"
    assert store_name(new) == "ours"
    with elsewhere.read() as session:
        assert set(session.scalars(select(Job.id))) == {job} != {late}
        shard = session.get_one(Shard, f"{job}-0")
        assert (shard.status, shard.attempt) == ("queued", 3 + NEW_ATTEMPTS)
        assert (shard.holder, shard.sent_to) == (None, None)
        assert not are_files_held(session)
        for checkpoint in session.scalars(select(Checkpoint)):
            assert new.read_bytes(checkpoint.path) == artifacts.read_bytes(checkpoint.path)
    with database.read() as session:
        assert not are_files_held(session)


def test_nothing_is_overwritten(service, database, elsewhere, tmp_path):
    artifacts = ArtifactStore(service._artifacts.url)
    kept, new = ArtifactStore(str(tmp_path / "kept")), ArtifactStore(str(tmp_path / "new-store"))
    make_backup(database, artifacts, kept, say_nothing)
    new.write_bytes("somebody-elses", b"file")

    with pytest.raises(BackupError, match=r"kept is not empty"):
        make_backup(database, artifacts, kept, say_nothing)
    with pytest.raises(BackupError, match=r"artifact store .* is not empty"):
        restore_backup(kept, elsewhere, new, migrate, say_nothing)
    with pytest.raises(BackupError, match="the database is not empty"):
        restore_backup(kept, database, ArtifactStore("memory://empty"), migrate, say_nothing)
    with pytest.raises(BackupError, match="it is no backup"):
        restore_backup(new, elsewhere, ArtifactStore("memory://empty"), migrate, say_nothing)


def test_two_backups_are_not_made_at_once(service, database, tmp_path):
    kept = ArtifactStore(str(tmp_path / "kept"))
    with hold_files(database), pytest.raises(BackupError, match="another backup is being made"):
        make_backup(database, ArtifactStore(service._artifacts.url), kept, say_nothing)
    make_backup(database, ArtifactStore(service._artifacts.url), kept, say_nothing)


def test_a_hold_that_was_taken_over_is_left_to_its_new_holder(database):
    with hold_files(database), database.write() as session:
        # It could not renew its own for a minute.
        keep_fact(session, BACKUP, {"said_at": datetime.now(UTC).isoformat(), "holder": "b"})

    with database.read() as session:
        assert are_files_held(session)


def test_a_file_that_the_backup_lacks_is_named(service, database, elsewhere, tmp_path):
    kept = ArtifactStore(str(tmp_path / "kept"))
    made = make_backup(database, ArtifactStore(service._artifacts.url), kept, say_nothing)
    kept.delete(f"artifacts/{made.files[0].path}")

    with pytest.raises(BackupError, match=f"the backup lacks artifacts/{made.files[0].path}"):
        restore_backup(
            kept, elsewhere, ArtifactStore(f"{tmp_path}/new-store"), migrate, say_nothing
        )
