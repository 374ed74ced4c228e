import errno
import os
import secrets
import stat
import threading
from pathlib import Path

import fsspec
import pytest
from fsspec import AbstractFileSystem

from jobs.artifacts import ArtifactStore, attempt_folder
from jobs.errors import ArtifactFileNotFoundError, ArtifactPathError, ArtifactStoreError
from jobs.messages import ArtifactRecord, Manifest


@pytest.fixture(params=["folder", "file", "memory"])
def artifacts(request: pytest.FixtureRequest, tmp_path: Path) -> ArtifactStore:
    """A store in a folder, by its path and by its URL, and one that is no folder at all."""
    urls = {
        "folder": str(tmp_path / "store"),
        "file": f"file://{tmp_path}/store",
        "memory": f"memory://store-{secrets.token_hex(4)}",
    }
    store = ArtifactStore(urls[request.param])
    store.write_bytes("checkpoints/kept", b"")  # as in every store that is used
    return store


def test_what_is_written_is_read_listed_and_deleted(artifacts):
    artifacts.write_bytes("jobs/a/b/one.bin", b"1")
    artifacts.write_bytes("jobs/a/b/two.bin", b"")
    artifacts.write_bytes("jobs/a/c/three.bin", b"333")

    assert artifacts.read_bytes("jobs/a/b/one.bin") == b"1"
    assert artifacts.read_bytes("jobs/a/b/two.bin") == b""
    assert artifacts.names("jobs/a/b") == ["one.bin", "two.bin"]
    assert artifacts.names("jobs/a") == ["b", "c"]
    assert artifacts.exists("jobs/a/c/three.bin")

    artifacts.delete("jobs/a/b")
    artifacts.delete("jobs/a/c/three.bin")

    assert artifacts.names("jobs/a/b") == []
    assert not artifacts.exists("jobs/a/b/one.bin")
    assert not artifacts.exists("jobs/a/c/three.bin")


def test_a_file_is_replaced_whole(artifacts):
    artifacts.write_bytes("file", b"a long first content")
    artifacts.write_bytes("file", b"short")

    assert artifacts.read_bytes("file") == b"short"


def test_what_is_not_there_is_said(artifacts):
    assert artifacts.names("nowhere") == []
    assert not artifacts.exists("nowhere")
    artifacts.delete("nowhere")
    artifacts.write_bytes("checkpoints/one", b"")
    with pytest.raises(ArtifactFileNotFoundError, match="nowhere/file") as error:
        artifacts.read_bytes("nowhere/file")
    assert error.value.details["path"] == "nowhere/file"


QUESTIONS = {
    "read": lambda store: store.read_bytes("jobs/a/file"),
    "open": lambda store: store.open("jobs/a/file"),
    "names": lambda store: store.names("jobs/a"),
    "exists": lambda store: store.exists("jobs/a/file"),
    "write": lambda store: store.write_bytes("jobs/a/file", b""),
    "manifest": lambda store: store.read_manifest("a", "a-0", 1, "worker-1"),
}


@pytest.mark.parametrize("ask", QUESTIONS.values(), ids=QUESTIONS)
@pytest.mark.parametrize("folders", [[], ["jobs/b"]])
def test_a_folder_that_is_not_mounted_says_nothing_of_jobs(tmp_path, ask, folders):
    for folder in folders:
        (tmp_path / "mount" / folder).mkdir(parents=True)
    mounted = ArtifactStore(str(tmp_path / "mount"))

    with pytest.raises(ArtifactStoreError, match="is it mounted") as error:
        ask(mounted)

    assert type(error.value) is ArtifactStoreError  # it may be otherwise later
    assert not (tmp_path / "mount" / "jobs" / "a").exists()


class Unreachable(AbstractFileSystem):
    """As libraries of remote stores are: errors of their network are no OSError."""

    protocol = "unreachable"

    def _refuse(self, *_args, **_named):
        raise RuntimeError("could not connect to the endpoint")

    cat_file = pipe_file = put_file = info = ls = rm = open = _refuse


@pytest.mark.parametrize("ask", QUESTIONS.values(), ids=QUESTIONS)
def test_whatever_a_remote_store_s_library_raises_may_be_otherwise_later(ask):
    fsspec.register_implementation("unreachable", Unreachable, clobber=True)

    with pytest.raises(ArtifactStoreError, match="could not connect") as error:
        ask(ArtifactStore("unreachable://bucket"))

    assert type(error.value) is ArtifactStoreError


@pytest.mark.parametrize("content", [b"", b"{", b'{"of": "another version"}'])
def test_a_manifest_that_cannot_be_understood_counts_for_nothing(artifacts, content):
    folder = attempt_folder("job", "job-0", 2, "worker-1")
    artifacts.write_bytes(f"{folder}/manifest.json", content)

    assert artifacts.read_manifest("job", "job-0", 2, "worker-1") is None


@pytest.mark.parametrize("path", ["../secret", "a/../../secret", "/etc/passwd", "a/.."])
def test_no_path_leaves_the_store(artifacts, path):
    for ask in (artifacts.read_bytes, artifacts.exists, artifacts.names, artifacts.delete):
        with pytest.raises(ArtifactPathError, match="leaves the artifact store"):
            ask(path)
    with pytest.raises(ArtifactPathError, match="leaves the artifact store"):
        artifacts.write_bytes(path, b"")


def test_a_manifest_is_read_as_it_was_written(artifacts):
    folder = attempt_folder("job", "job-0", 2, "worker-1")
    manifest = Manifest(
        job_id="job",
        shard_id="job-0",
        attempt=2,
        worker="worker-1",
        done=10,
        artifacts=[
            ArtifactRecord(
                role="images",
                name="images.npy",
                path=f"{folder}/images.npy",
                shape=[1, 48, 48],
                media_type="application/x-npy",
                size_bytes=3,
                sha256="0" * 64,
            )
        ],
    )

    assert artifacts.read_manifest("job", "job-0", 2, "worker-1") is None
    artifacts.write_manifest(manifest)

    assert artifacts.read_manifest("job", "job-0", 2, "worker-1") == manifest
    assert artifacts.read_manifest("job", "job-0", 1, "worker-1") is None
    assert artifacts.names(folder) == ["manifest.json"]


def test_nobody_sees_half_a_file(tmp_path):
    artifacts = ArtifactStore(str(tmp_path))
    contents = [bytes([value]) * 2_000_000 for value in range(8)]
    artifacts.write_bytes("file", contents[0])
    is_done = threading.Event()

    def write() -> None:
        for content in contents * 10:
            artifacts.write_bytes("file", content)
        is_done.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not is_done.is_set():
        assert artifacts.read_bytes("file") in contents
    writer.join()
    assert artifacts.names("") == ["file"]


def test_a_store_that_cannot_be_written_says_so_and_leaves_nothing(tmp_path):
    (tmp_path / "jobs").write_text("a file where a folder must be")
    artifacts = ArtifactStore(str(tmp_path))
    artifacts.write_bytes("checkpoints/kept", b"")

    with pytest.raises(ArtifactStoreError, match="cannot write jobs/a/file"):
        artifacts.write_bytes("jobs/a/file", b"content")

    assert artifacts.names("") == ["checkpoints", "jobs"]


def test_a_file_is_written_where_folders_cannot_be_synced(tmp_path, monkeypatch):
    sync = os.fsync

    def refuse_folders(fd):
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")  # as on many a network file system
        sync(fd)

    monkeypatch.setattr(os, "fsync", refuse_folders)
    kept = ArtifactStore(str(tmp_path))

    kept.write_bytes("checkpoints/file", b"bytes")

    assert kept.read_bytes("checkpoints/file") == b"bytes"
