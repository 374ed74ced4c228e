"""Sweeping: what nobody needs is deleted, in small steps that may be broken off anywhere.

Three kinds of litter. Of jobs that ended an hour ago, all but their artifacts: saved states, half
files, attempts that came to nothing. Folders and files that no row names: left by a deletion that
was killed between row and file, by a worker that wrote after its job was deleted, by an upload that
was broken off. And, where that is asked for, jobs that ended many days ago.

Nothing is judged by the times of files, which may be of another clock. A name without a row must
be seen twice, an hour of this process apart, and is looked up again before it goes. The store must
bear this database's name: a new or a strange database never empties a store.
"""

import json
import logging
import secrets
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import aliased

from jobs.artifacts import CHECKPOINTS, MANIFEST, ArtifactStore
from jobs.clock import ClockWatch
from jobs.contract import ACTIVE
from jobs.database import Database
from jobs.deletion import delete_job, remove_job_folder, remove_unneeded
from jobs.errors import ArtifactFileNotFoundError, JobError, ReferencedError
from jobs.facts import STORE, keep_fact, read_fact
from jobs.holding import are_files_held
from jobs.tables import Artifact, Checkpoint, Dataset, Job, JobParent, Upload

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 3600.0
AT_ONCE = 20  # jobs, or orphans, of one step
ASKED_AT_ONCE = 500  # ids of one query
STORE_NAME = "darkroom-store.json"


class Sweeper:
    """Deletes what nobody needs; forgets nothing that matters when its process ends."""

    def __init__(
        self,
        database: Database,
        artifacts: ArtifactStore,
        keep_days: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Keep ended jobs for `keep_days`; 0: for ever."""
        self._database = database
        self._artifacts = artifacts
        self._keep_days = keep_days
        self._clock = clock
        self._clock_watch = ClockWatch(clock)
        self._next_look = clock()
        self._seen: set[str] = set()  # orphans of the last look
        self._doomed: list[str] = []
        self._after_old: tuple[datetime, str] | None = None
        self._said_strange = False

    def step(self) -> None:
        """Do a little.

        Raises:
            ArtifactStoreError: the store does not answer.
            SQLAlchemyError: the database does not.
        """
        with self._database.read() as session:
            if are_files_held(session):
                return
        if not self._is_ours():
            return
        self._tidy_ended_jobs()
        self._look_for_orphans()
        self._delete_orphans()
        if self._keep_days and self._clock_watch.is_trusted():
            self._delete_old_jobs()

    def _is_ours(self) -> bool:
        """Whether the store bears this database's name; one without a name is given it."""
        with self._database.write() as session:
            fact = read_fact(session, STORE)
            if fact is None:
                fact = {"id": secrets.token_hex(8)}
                keep_fact(session, STORE, fact)
        named = store_name(self._artifacts)
        if named is None:
            if not self._artifacts.names(CHECKPOINTS):
                return False  # new, or not mounted
            name_store(self._artifacts, fact["id"])
        elif named != fact["id"]:
            if not self._said_strange:
                log.error(
                    "the artifact store %s belongs to another database (%s, not %s): nothing in "
                    "it is swept",
                    self._artifacts.url,
                    named,
                    fact["id"],
                )
            self._said_strange = True
            return False
        return True

    def _tidy_ended_jobs(self) -> None:
        before = datetime.now(UTC) - timedelta(seconds=PATIENCE_SECONDS)
        with self._database.read() as session:
            ended = session.scalars(
                select(Job.id)
                .where(
                    Job.is_tidied.is_(False),
                    Job.finished_at < before,
                    Job.status.not_in(ACTIVE),
                )
                .limit(AT_ONCE)
            ).all()
        for job_id in ended:
            self.tidy_job(job_id)
            with self._database.write() as session:
                session.execute(update(Job).where(Job.id == job_id).values(is_tidied=True))

    def tidy_job(self, job_id: str) -> None:
        """Of a job that has ended, keep the artifacts and their manifests."""
        with self._database.read() as session:
            query = select(Artifact.path).where(Artifact.job_id == job_id)
            kept = set(session.scalars(query))
        kept |= {f"{path.rsplit('/', 1)[0]}/{MANIFEST}" for path in kept}
        for shard in self._artifacts.names(f"jobs/{job_id}"):
            for attempt in self._artifacts.names(f"jobs/{job_id}/{shard}"):
                self._tidy_attempt(f"jobs/{job_id}/{shard}/{attempt}", kept)

    def _tidy_attempt(self, folder: str, kept: set[str]) -> None:
        if not any(path.startswith(f"{folder}/") for path in kept):
            self._artifacts.delete(folder)
            return
        for name in self._artifacts.names(folder):
            if f"{folder}/{name}" not in kept:
                self._artifacts.delete(f"{folder}/{name}")

    def _look_for_orphans(self) -> None:
        if self._clock() < self._next_look:
            return
        found = {f"jobs/{job_id}" for job_id in self._without_row(self._artifacts.names("jobs"))}
        with self._database.read() as session:
            needed = set(session.scalars(select(Checkpoint.path)))
            needed |= set(session.scalars(select(Upload.path)))
            needed |= {f"datasets/{sha256}" for sha256 in session.scalars(select(Dataset.sha256))}
        for folder in (CHECKPOINTS, "datasets", "uploads"):
            names = self._artifacts.names(folder)
            found |= {f"{folder}/{name}" for name in names} - needed
        self._doomed = sorted(found & self._seen)
        self._seen = found
        self._next_look = self._clock() + PATIENCE_SECONDS

    def _without_row(self, job_ids: list[str]) -> Iterable[str]:
        for first in range(0, len(job_ids), ASKED_AT_ONCE):
            some = job_ids[first : first + ASKED_AT_ONCE]
            with self._database.read() as session:
                known = set(session.scalars(select(Job.id).where(Job.id.in_(some))))
            yield from (job_id for job_id in some if job_id not in known)

    def _delete_orphans(self) -> None:
        for _ in range(min(AT_ONCE, len(self._doomed))):
            path = self._doomed.pop()
            folder, _, name = path.partition("/")
            if folder == "jobs":
                is_gone = remove_job_folder(self._database, self._artifacts, name)
            else:
                is_gone = remove_unneeded(self._database, self._artifacts, path)
            if is_gone:
                log.info("swept %s, which nothing names", path)

    def _delete_old_jobs(self) -> None:
        """Delete the oldest that no job came after; what is needed is passed over until later."""
        old = self._old_jobs()
        self._after_old = old[-1] if len(old) == AT_ONCE else None
        for _, job_id in old:
            try:
                delete_job(self._database, self._artifacts, job_id)
            except ReferencedError:
                continue
            except JobError as error:  # deleted or retried by somebody meanwhile
                log.info("job %s is not deleted: %s", job_id, error)
                continue
            log.info("deleted job %s, which ended %d days ago or more", job_id, self._keep_days)

    def _old_jobs(self) -> list[tuple[datetime, str]]:
        child = aliased(JobParent)
        before = datetime.now(UTC) - timedelta(days=self._keep_days)
        query = (
            select(Job.finished_at, Job.id)
            .where(
                Job.is_tidied.is_(True),
                Job.finished_at < before,
                ~select(child.job_id).where(child.parent_id == Job.id).exists(),
            )
            .order_by(Job.finished_at, Job.id)
            .limit(AT_ONCE)
        )
        if self._after_old is not None:
            at, job_id = self._after_old
            query = query.where(
                (Job.finished_at > at) | ((Job.finished_at == at) & (Job.id > job_id))
            )
        with self._database.read() as session:
            return [(at, job_id) for at, job_id in session.execute(query) if at is not None]


def store_name(artifacts: ArtifactStore) -> str | None:
    """Which database this store belongs to; None if it says nothing.

    Raises:
        ArtifactStoreError: it does not answer.
    """
    if not artifacts.exists(STORE_NAME):
        return None
    try:
        content = json.loads(artifacts.read_bytes(STORE_NAME))
    except (ValueError, ArtifactFileNotFoundError):
        return ""
    return str(content.get("database")) if isinstance(content, dict) else ""


def name_store(artifacts: ArtifactStore, database_id: str) -> None:
    """Say that this store belongs to this database.

    Raises:
        ArtifactStoreError: it does not take it.
    """
    artifacts.write_bytes(STORE_NAME, json.dumps({"database": database_id}).encode())
