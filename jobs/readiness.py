"""Whether jobs can be taken and run, and in one sentence each what hinders it."""

import os
import time
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import text

from jobs.artifacts import ArtifactStore
from jobs.database import Database
from jobs.errors import ArtifactStoreError, DatabaseUnavailableError
from jobs.faults import as_job_error

LEAST_BYTES = 8 * 2**20  # free on a disk: with less, what is written may be refused
REMEMBERED_SECONDS = 5.0  # a store that is no folder is not asked at every question


@dataclass(frozen=True)
class Condition:
    """How a part is: `ok`, or one word for what is wrong with it, and the sentence."""

    word: str = "ok"
    reason: str | None = None


@dataclass
class ConditionWatch:
    """Asks database and artifact store how they are; writes nothing."""

    database: Database
    artifacts: ArtifactStore
    _remembered: tuple[float, Condition] = field(default=(float("-inf"), Condition()))

    def of_database(self) -> Condition:
        """Whether it takes a job now: migrated, not locked for long, and with room on its disk."""
        try:
            with self.database.write() as session:
                session.execute(text("SELECT 1 FROM jobs LIMIT 1"))
                session.rollback()
        except Exception as error:  # whatever the driver says, it means: not ready
            known = as_job_error(error)
            if known is None or isinstance(known, DatabaseUnavailableError):
                return Condition("not_ready", "The database does not answer, or is not migrated.")
            return Condition(known.code, f"{known.message[0].upper()}{known.message[1:]}.")
        file = self.database.url.database if self.database.url.drivername == "sqlite" else None
        if file and file != ":memory:" and _free_bytes(Path(file).parent) < LEAST_BYTES:
            return Condition("storage_full", "The disk of the database is full.")
        return Condition()

    def of_artifacts(self) -> Condition:
        """Whether files can be read and written; asked of the system, without writing one."""
        if self.artifacts.folder is not None:
            condition = _of_folder(self.artifacts.folder)
            if condition.word == "ok" and self.artifacts.is_not_mounted():
                return Condition("unreachable", "The artifact store's folder is not mounted.")
            return condition
        asked_at, condition = self._remembered
        if time.monotonic() - asked_at > REMEMBERED_SECONDS:
            condition = Condition()
            try:
                self.artifacts.exists("checkpoints")
            except ArtifactStoreError:
                condition = Condition("unreachable", "The artifact store does not answer.")
            self._remembered = time.monotonic(), condition
        return condition


def _of_folder(folder: Path) -> Condition:
    try:
        state = os.statvfs(folder)
    except OSError:
        return Condition("unreachable", "The artifact store's folder cannot be reached.")
    if state.f_flag & os.ST_RDONLY or not os.access(folder, os.W_OK):
        return Condition("read_only", "The artifact store's folder is read-only.")
    if state.f_bavail * state.f_frsize < LEAST_BYTES:
        return Condition("full", "The disk of the artifact store is full.")
    return Condition()


def _free_bytes(folder: Path) -> float:
    try:
        state = os.statvfs(folder)
    except OSError:
        return float("inf")
    return state.f_bavail * state.f_frsize
