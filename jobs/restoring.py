"""Restore: a backup put into an empty place, every hash checked, ready to go on.

What ran when the backup was made runs again. Its attempts are numbered on far beyond any that the
old system can have sent since: reports of old workers, and messages of an old Redis, match none of
them and change nothing; the old workers are told to stop.
"""

import contextlib
import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from jobs import snapshots
from jobs.artifacts import ArtifactStore
from jobs.backup import FILES, BackupDescription, BackupError, Tell, read_description
from jobs.carrying import carry_rows, require_no_rows
from jobs.contract import ACTIVE, JobStatus
from jobs.database import Database
from jobs.errors import ArtifactFileNotFoundError
from jobs.facts import BACKUP, DISPATCHER, STORE, drop_fact, read_fact
from jobs.sweeping import name_store
from jobs.tables import Shard, Worker

NEW_ATTEMPTS = 1000  # more than the old system can have sent since the backup
RESTORING = "restoring.json"  # in a store whose restore was not completed
TOLD_EVERY = 100  # files


def restore_backup(
    source: ArtifactStore,
    database: Database,
    artifacts: ArtifactStore,
    migrate: Callable[[str], None],
    tell: Tell,
) -> BackupDescription:
    """Put a backup into an empty database and an empty artifact store; files first, then rows.

    One that was broken off is begun again.

    Args:
        source: of the backup.
        database: an empty one.
        artifacts: an empty store.
        migrate: brings the database of this URL up to date; the backup may be an older one.
        tell: is told how far it is.

    Raises:
        BackupError: it is no backup, a file of it is damaged, the place is not empty, or the
            database is of another kind: only from SQLite to PostgreSQL are rows carried.
        SnapshotError: the database takes it not.
        ArtifactStoreError: one of the two stores does not answer, or is full.
    """
    description = read_description(source)
    _require_room(description, database, artifacts)
    artifacts.write_bytes(RESTORING, b"{}")
    artifacts.begin()
    for number, file in enumerate(description.files, 1):
        content = _read_checked(source, f"{FILES}/{file.path}", file.sha256)
        artifacts.write_bytes(file.path, content)
        if hashlib.sha256(artifacts.read_bytes(file.path)).hexdigest() != file.sha256:
            raise BackupError(f"{artifacts.url} does not give back what was written: {file.path}")
        if number % TOLD_EVERY == 0:
            tell(f"{number} of {len(description.files)} files")
    content = _read_checked(source, description.database_file, description.database_sha256)
    with tempfile.TemporaryDirectory(prefix="darkroom-restore-") as folder:
        copy = Path(folder) / description.database_file
        copy.write_bytes(content)
        if description.database == "sqlite":  # in one step: a half restored one is none
            migrate(f"sqlite:///{copy}")
            _make_ready(Database(f"sqlite:///{copy}"), artifacts)
        if _is_carried(description, database):
            migrate(_url_of(database))
            with contextlib.closing(Database(f"sqlite:///{copy}")) as small:
                carry_rows(small, database)
        else:
            snapshots.put_back(database, copy)
    if description.database != "sqlite":
        migrate(_url_of(database))
        _make_ready(database, artifacts)
    artifacts.delete(RESTORING)
    tell(f"{len(description.files)} files, every hash as recorded, and the database")
    return description


def _require_room(
    description: BackupDescription, database: Database, artifacts: ArtifactStore
) -> None:
    if _is_carried(description, database):
        with database.read() as session:
            require_no_rows(session)
    elif description.database != (backend := snapshots.backend(database)):
        raise BackupError(
            f"the backup is of {description.database}, and database_url names a {backend} "
            "database: it must be of the same kind, or PostgreSQL for a backup of SQLite"
        )
    elif not snapshots.is_empty(database):
        raise BackupError(
            "the database is not empty: nothing is overwritten; move it away, or name another"
        )
    held = artifacts.names("")
    if held and RESTORING not in held:
        raise BackupError(
            f"the artifact store {artifacts.url} is not empty: nothing is overwritten; move it "
            "away, or name another"
        )


def _is_carried(description: BackupDescription, database: Database) -> bool:
    """Whether rows of a SQLite backup go into PostgreSQL, which may be migrated already."""
    backends = (description.database, snapshots.backend(database))
    return backends == ("sqlite", snapshots.POSTGRESQL)


def _url_of(database: Database) -> str:
    return database.url.render_as_string(hide_password=False)


def _read_checked(source: ArtifactStore, path: str, sha256: str) -> bytes:
    try:
        content = source.read_bytes(path)
    except ArtifactFileNotFoundError as error:
        raise BackupError(f"the backup lacks {path}") from error
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise BackupError(f"the backup is damaged: {path} has SHA-256 {found}, not {sha256}")
    return content


def _make_ready(database: Database, artifacts: ArtifactStore) -> None:
    """Queue what ran, forget workers and programs of the old system, and name the store."""
    try:
        with database.write() as session:
            _queue_again(session)
            session.execute(delete(Worker))
            drop_fact(session, BACKUP)
            drop_fact(session, DISPATCHER)
            fact = read_fact(session, STORE)
    finally:
        database.close()
    if fact is not None:
        name_store(artifacts, fact["id"])


def _queue_again(session: Session) -> None:
    session.execute(
        update(Shard)
        .where(Shard.status.in_(ACTIVE))
        .values(
            status=JobStatus.QUEUED,
            attempt=Shard.attempt + NEW_ATTEMPTS,
            sent_to=None,
            holder=None,
            seq=0,
            notice=None,
        )
    )
