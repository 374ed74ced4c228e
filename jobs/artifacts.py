"""The artifact store: files below one fsspec URL, each published whole.

Everything that an attempt writes lies under `jobs/{job}/{shard}/{attempt}-{worker}/`, its manifest
last; nobody else writes there.
"""

import logging
import os
import re
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, cast

import fsspec
from pydantic import ValidationError

from jobs.errors import (
    ArtifactFileNotFoundError,
    ArtifactPathError,
    ArtifactStoreError,
    JobError,
)
from jobs.http_files import HttpFiles
from jobs.messages import Manifest

log = logging.getLogger(__name__)

MANIFEST = "manifest.json"
STATE_NAME = re.compile(r"state-(\d+)\.safetensors")  # what an attempt saved, and at which step
NO_FILE = (FileNotFoundError, IsADirectoryError, NotADirectoryError)
JOBS = "jobs"
LATER = (f"{JOBS}/", "datasets/", "uploads/")  # what comes into a store that holds checkpoints
CHECKPOINTS = "checkpoints"  # the web program keeps the bundled ones there before anything else


def attempt_folder(job_id: str, shard_id: str, attempt: int, worker: str) -> str:
    """The folder that only this attempt of this worker writes to."""
    return f"{shard_folder(job_id, shard_id)}/{attempt}-{worker}"


def shard_folder(job_id: str, shard_id: str) -> str:
    """The folder of all attempts of a shard."""
    return f"{JOBS}/{job_id}/{shard_id}"


def checkpoint_path(sha256: str) -> str:
    """Where a checkpoint of this hash lies."""
    return f"{CHECKPOINTS}/{sha256}.safetensors"


class ArtifactStore:
    """Files by their path below `url` (a folder, `s3://bucket/prefix`, or what fsspec knows)."""

    def __init__(self, url: str, key: str = "") -> None:
        """Look up the file system; nothing is written yet.

        Args:
            url: where the files are.
            key: a worker key, for a store that a `darkroom web` serves at http(s)://….

        Raises:
            ValueError: there is no such file system, or the key is missing.
        """
        self.url = url
        self._fs: Any
        if is_http(url):
            self._fs, self._root = HttpFiles(url, key), ""
        else:
            self._fs, self._root = fsspec.core.url_to_fs(url)
        self._is_local = "file" in (self._fs.protocol if self._fs.protocol else ())

    @property
    def folder(self) -> Path | None:
        """Where the files lie, if that is a folder of this computer."""
        return Path(self._root) if self._is_local else None

    def _full(self, path: str) -> str:
        if path.startswith("/") or ".." in path.split("/"):
            raise ArtifactPathError(f"path {path!r} leaves the artifact store", path=path)
        return f"{self._root}/{path}" if self._root else path

    def check(self) -> None:
        """Ask the store whether it answers, and a key whether it opens it.

        Raises:
            ArtifactStoreError: it does not.
        """
        self.names(f"{JOBS}/none")

    @contextmanager
    def writing(self, path: str) -> Iterator[BinaryIO]:
        """A file to write to: published whole if the context ends well, else nothing of it.

        Raises:
            ArtifactStoreError: the store does not take it (no space, out of reach).
        """
        full = self._full(path)
        if self._is_local:
            self._require_mounted_for(path, "write")
            with self._asking("write", path), _replacing(Path(full)) as file:
                yield file
            return
        with tempfile.NamedTemporaryFile() as file:
            yield cast(BinaryIO, file)
            file.flush()
            with self._asking("write", path):
                self._fs.put_file(file.name, full)

    def open(self, path: str) -> BinaryIO:
        """The file, to be read and closed by the caller; a later one of this path is another.

        Raises:
            ArtifactFileNotFoundError: there is none.
            ArtifactStoreError: the store does not answer, or is not mounted.
        """
        full = self._full(path)
        with self._asking("read", path, NO_FILE):
            file = open(full, "rb") if self._is_local else self._fs.open(full, "rb")  # noqa: SIM115
        return cast(BinaryIO, file)

    def write_bytes(self, path: str, data: bytes) -> None:
        """Publish `data` whole: temporary name and rename in a folder, one PUT elsewhere.

        Raises:
            ArtifactStoreError: the store does not take it (no space, out of reach).
        """
        if self._is_local:
            with self.writing(path) as file:
                file.write(data)
            return
        with self._asking("write", path):
            self._fs.pipe_file(self._full(path), data)

    def read_bytes(self, path: str) -> bytes:
        """The whole file.

        Raises:
            ArtifactFileNotFoundError: there is none.
            ArtifactStoreError: the store does not answer, or is not mounted.
        """
        with self._asking("read", path):
            return cast(bytes, self._fs.cat_file(self._full(path)))

    def exists(self, path: str) -> bool:
        """Whether there is such a file.

        Raises:
            ArtifactStoreError: the store does not answer, or is not mounted.
        """
        full = self._full(path)
        try:
            with self._asking("look up", path):
                if isinstance(self._fs, HttpFiles):
                    return self._fs.exists(full)
                # Many an `exists` of fsspec calls every error an absence.
                os.stat(full) if self._is_local else self._fs.info(full)
        except ArtifactFileNotFoundError:
            self._require_mounted_for(path, "look up")
            return False
        return True

    def names(self, folder: str) -> list[str]:
        """Names of the files and folders directly in `folder`, sorted; none if it is absent.

        Raises:
            ArtifactStoreError: the store does not answer, or is not mounted.
        """
        try:
            with self._asking("list", folder):
                found = self._fs.ls(self._full(folder), detail=False, refresh=True)
        except ArtifactFileNotFoundError:
            self._require_mounted_for(folder, "list")
            return []
        return sorted(str(name).rstrip("/").rsplit("/", 1)[-1] for name in found)

    def delete(self, path: str) -> None:
        """Delete a file, or a folder and all in it; absent is deleted.

        Raises:
            ArtifactStoreError: the store does not answer, or is not mounted.
        """
        try:
            with self._asking("delete", path):
                self._fs.rm(self._full(path), recursive=True)
        except ArtifactFileNotFoundError:
            self._require_mounted_for(path, "delete")

    @contextmanager
    def _asking(
        self, what: str, path: str, absence: tuple[type[Exception], ...] = (FileNotFoundError,)
    ) -> Iterator[None]:
        """Errors of the file system in the store's own words."""
        try:
            yield
        except (JobError, MemoryError):
            raise
        except Exception as error:
            # Libraries of remote stores let errors of their own networks through.
            if self._is_local and not isinstance(error, OSError):
                raise
            if isinstance(error, absence) and what != "write":
                if what == "read" and path.startswith((*LATER, f"{CHECKPOINTS}/")):
                    self.require_mounted(path, what)
                raise ArtifactFileNotFoundError(f"there is no file {path}", path=path) from error
            raise ArtifactStoreError(f"cannot {what} {path}: {error}", path=path) from error

    def _require_mounted_for(self, path: str, what: str) -> None:
        """Checkpoints come before these: where they are not, the store seems to be away."""
        if path.startswith(LATER):
            self.require_mounted(path, what)

    def require_mounted(self, path: str, what: str) -> None:
        """See that a shared folder is not away, for what is to be done with a path.

        Raises:
            ArtifactStoreError: it seems so.
        """
        if self.is_not_mounted():
            message = (
                f"cannot {what} {path}: the store {self.url} has no folder {CHECKPOINTS}; is it "
                "mounted? One that is truly new begins with that folder"
            )
            raise ArtifactStoreError(message, path=path)

    def is_not_mounted(self) -> bool:
        """Whether a shared folder seems to be away: a store that is used holds checkpoints."""
        return self._is_local and not os.path.isdir(f"{self._root}/{CHECKPOINTS}")

    def begin(self) -> None:
        """Let a new folder count as mounted."""
        if self.folder is not None:
            (self.folder / CHECKPOINTS).mkdir(parents=True, exist_ok=True)

    def write_manifest(self, manifest: Manifest) -> None:
        """Publish the last file of an attempt's folder."""
        folder = attempt_folder(
            manifest.job_id, manifest.shard_id, manifest.attempt, manifest.worker
        )
        self.write_bytes(f"{folder}/{MANIFEST}", manifest.model_dump_json().encode())

    def read_manifest(
        self, job_id: str, shard_id: str, attempt: int, worker: str
    ) -> Manifest | None:
        """The manifest of an attempt, or None if it never finished.

        Raises:
            ArtifactStoreError: the store does not answer, or is not mounted.
        """
        path = f"{attempt_folder(job_id, shard_id, attempt, worker)}/{MANIFEST}"
        if not self.exists(path):
            return None
        try:
            return Manifest.model_validate_json(self.read_bytes(path))
        except ValidationError as error:  # damaged, or of another version
            log.warning("%s cannot be understood, and counts for nothing: %s", path, error)
            return None


def is_http(url: str) -> bool:
    """Whether an artifact store is one that a `darkroom web` serves."""
    return url.lower().startswith(("http://", "https://"))


@contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}.partial")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())  # else a power cut may leave the new name without its bytes
        os.replace(temporary, path)
        _sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _sync_folder(path: Path) -> None:
    """Let a new name outlive a power cut, where the file system can say so of a folder."""
    with suppress(OSError):  # many a network file system cannot, and the file is there
        folder = os.open(path, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
