"""Backup of a system in use, and restore: the database of one moment, and every file it names.

A backup is a place of its own: the copy of the database, the files below `artifacts/` under the
paths that they have in the store, and `backup.json` last. While files are copied none is deleted
(`jobs.holding`), so that whatever the snapshot names is there.
"""

import contextlib
import hashlib
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from jobs import __version__, snapshots
from jobs.artifacts import STATE_NAME, ArtifactStore
from jobs.contract import ACTIVE, Contract
from jobs.database import Database
from jobs.errors import ArtifactFileNotFoundError
from jobs.holding import FilesHeldError, hold_files
from jobs.tables import Artifact, Checkpoint, Dataset, Shard, Upload

DESCRIPTION = "backup.json"
FILES = "artifacts"
TOLD_EVERY = 100  # files

Tell = Callable[[str], None]


class BackupError(Exception):
    """The backup cannot be made or used; the message says why, and what to do."""


class KeptFile(Contract):
    """A file of the artifact store, in the backup under the same path."""

    path: str
    sha256: str
    size_bytes: int


class BackupDescription(Contract):
    """What a backup holds."""

    format: Literal[1] = 1
    version: str = Field(description="Of the Darkroom that made it.")
    made_at: datetime
    database: str = Field(description="sqlite or postgresql.")
    database_file: str
    database_sha256: str
    files: list[KeptFile]
    damaged: list[str] = Field(description="Paths of files that were missing, or not as recorded.")


def make_backup(
    database: Database, artifacts: ArtifactStore, target: ArtifactStore, tell: Tell
) -> BackupDescription:
    """Copy the database and all its files to an empty place, while everything goes on.

    Raises:
        BackupError: the place is not empty, or another backup is being made.
        SnapshotError: the database cannot be copied.
        ArtifactStoreError: one of the two stores does not answer, or is full.
    """
    if target.names(""):
        raise BackupError(f"{target.url} is not empty: choose another place")
    with _holding(database), tempfile.TemporaryDirectory(prefix="darkroom-backup-") as folder:
        with snapshots.snapshot(database, Path(folder)) as (session, copy):
            named = dict(_named_files(session))
            shards = select(Shard.job_id, Shard.id).where(Shard.status.in_(ACTIVE))
            active = [(job_id, shard_id) for job_id, shard_id in session.execute(shards)]
        content = copy.read_bytes()
        target.write_bytes(copy.name, content)
        tell(f"the database: {len(content)} bytes; it names {len(named)} files")
        kept, damaged = _copy_files(artifacts, target, named, tell)
        kept += _copy_saved_states(artifacts, target, active)
    description = BackupDescription(
        version=__version__,
        made_at=datetime.now(UTC),
        database=snapshots.backend(database),
        database_file=copy.name,
        database_sha256=hashlib.sha256(content).hexdigest(),
        files=kept,
        damaged=damaged,
    )
    target.write_bytes(DESCRIPTION, description.model_dump_json(indent=1).encode())
    return description


@contextlib.contextmanager
def _holding(database: Database) -> Iterator[None]:
    try:
        with hold_files(database):
            yield
    except FilesHeldError as error:
        raise BackupError(str(error)) from error


def _named_files(session: Session) -> Iterator[tuple[str, str | None]]:
    """Path → SHA-256 of every file that a row names; None where no hash is recorded."""
    for table in (Artifact, Checkpoint, Upload):
        rows = session.execute(select(table.path, table.sha256))
        yield from ((path, sha256) for path, sha256 in rows)
    for dataset in session.scalars(select(Dataset)):
        yield dataset.faces_path, dataset.faces_sha256
        if dataset.ages_path is not None:
            yield dataset.ages_path, dataset.ages_sha256
        yield f"datasets/{dataset.sha256}/contact-sheet.png", None


def _copy_files(
    artifacts: ArtifactStore, target: ArtifactStore, named: dict[str, str | None], tell: Tell
) -> tuple[list[KeptFile], list[str]]:
    kept: list[KeptFile] = []
    damaged: list[str] = []
    for number, (path, sha256) in enumerate(sorted(named.items()), 1):
        try:
            content = artifacts.read_bytes(path)
        except ArtifactFileNotFoundError:
            damaged.append(path)
            continue
        found = hashlib.sha256(content).hexdigest()
        if sha256 not in (None, found):
            damaged.append(path)
            continue
        kept.append(_keep(target, path, content, found))
        if number % TOLD_EVERY == 0:
            tell(f"{number} of {len(named)} files")
    return kept, damaged


def _copy_saved_states(
    artifacts: ArtifactStore, target: ArtifactStore, active: list[tuple[str, str]]
) -> list[KeptFile]:
    """What running shards have saved by now, so that a restored one need not begin anew.

    A state may be replaced while it is copied: a shard without one begins from its start.
    """
    kept = []
    for job_id, shard_id in active:
        folder = f"jobs/{job_id}/{shard_id}"
        for attempt in artifacts.names(folder):
            for name in artifacts.names(f"{folder}/{attempt}"):
                if not STATE_NAME.fullmatch(name):
                    continue
                path = f"{folder}/{attempt}/{name}"
                try:
                    content = artifacts.read_bytes(path)
                except ArtifactFileNotFoundError:
                    continue
                kept.append(_keep(target, path, content, hashlib.sha256(content).hexdigest()))
    return kept


def _keep(target: ArtifactStore, path: str, content: bytes, sha256: str) -> KeptFile:
    target.write_bytes(f"{FILES}/{path}", content)
    return KeptFile(path=path, sha256=sha256, size_bytes=len(content))


def read_description(source: ArtifactStore) -> BackupDescription:
    """What the backup at this place holds.

    Raises:
        BackupError: it is none, or one that was broken off.
    """
    if not source.exists(DESCRIPTION):
        raise BackupError(
            f"{source.url} holds no {DESCRIPTION}: it is no backup, or one that was broken off"
        )
    try:
        return BackupDescription.model_validate_json(source.read_bytes(DESCRIPTION))
    except ValidationError as error:
        raise BackupError(f"{DESCRIPTION} cannot be understood: {error}") from error
