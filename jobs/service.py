"""What the API and the dashboard can do: submit, look, cancel, retry, keep files."""

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from jobs import store, transitions
from jobs.artifacts import ArtifactStore
from jobs.contract import JobList, JobStatus, JobView, ShardView, WorkerView
from jobs.database import Database
from jobs.datasets import DatasetShelf
from jobs.errors import (
    IdempotencyConflictError,
    JobActiveError,
    JobEndedError,
    ValidationError,
)
from jobs.gallery import Gallery, require_job
from jobs.kinds import KINDS, Part
from jobs.library import CheckpointLibrary
from jobs.repeats import Repeats
from jobs.requests import JobRequest, job_request_adapter
from jobs.settings import WebSettings
from jobs.streams import WebStreams
from jobs.tables import Job, Shard
from jobs.uploads import UploadShelf
from jobs.views import job_view, shard_view, unit_of, worker_view

WORKER_IS_ONLINE = timedelta(seconds=30)


@dataclass(frozen=True)
class Submission:
    """The job of a submission; `is_replay` if it was made by an earlier one with the same key."""

    job: JobView
    is_replay: bool


class JobService(CheckpointLibrary, DatasetShelf, UploadShelf, Gallery, Repeats):
    """The sentences that touch database, artifact store and streams together."""

    def __init__(
        self, database: Database, artifacts: ArtifactStore, streams: WebStreams, shard_images: int
    ) -> None:
        """Work on these; jobs are split into shards of `shard_images` images."""
        self._database = database
        self._artifacts = artifacts
        self._streams = streams
        self._shard_images = shard_images

    def submit(
        self,
        request: JobRequest,
        submitter: str,
        idempotency_key: str | None = None,
        *,
        retry_of: str | None = None,
    ) -> Submission:
        """Commit a job with all its shards; the same key and request give the same job.

        Raises:
            JobError: the request names what does not exist, or what does not fit.
            IdempotencyConflictError: the key was used for another request.
        """
        content = f"{submitter}\n{retry_of or ''}\n{request.model_dump_json()}"
        digest = hashlib.sha256(content.encode()).hexdigest()
        try:
            with self._database.write() as session:
                earlier = idempotency_key and store.find_by_key(session, submitter, idempotency_key)
                if earlier:
                    return self._replay(session, earlier, digest)
                job = self._insert_job(session, request, submitter, retry_of)
                job.idempotency_key, job.request_sha256 = idempotency_key, digest
                session.flush()
                view = self._view(session, job)
        except IntegrityError:  # another process inserted the same key meanwhile
            if idempotency_key is None:
                raise
            with self._database.read() as session:
                earlier = store.find_by_key(session, submitter, idempotency_key)
                if earlier is None:
                    raise
                return self._replay(session, earlier, digest)
        self._streams.hint(view.id)
        return Submission(view, is_replay=False)

    def _replay(self, session: Session, earlier: Job, digest: str) -> Submission:
        if earlier.request_sha256 != digest:
            raise IdempotencyConflictError(
                f"this idempotency key was used for job {earlier.id} with another request; "
                "use a new key for a new request",
                job_id=earlier.id,
            )
        return Submission(self._view(session, earlier), is_replay=True)

    def _insert_job(
        self, session: Session, request: JobRequest, submitter: str, retry_of: str | None
    ) -> Job:
        kind = KINDS[request.kind]
        params = kind.prepare(session, request.params)
        parts = kind.split(params, self._shard_images)
        job = Job(
            id=store.new_id(),
            kind=request.kind,
            name=request.name,
            submitter=submitter,
            priority=request.priority,
            status=JobStatus.QUEUED,
            status_seq=1,
            params=params.model_dump(mode="json"),
            done=0,
            total=sum(part.total for part in parts),
            retry_of=retry_of,
            created_at=datetime.now(UTC),
        )
        session.add(job)
        session.add_all(_new_shard(job.id, index, part) for index, part in enumerate(parts))
        return job

    def retry(self, job_id: str, submitter: str, idempotency_key: str | None = None) -> Submission:
        """A new job with the parameters of one that has ended, its seed included.

        Raises:
            JobNotFoundError: there is none.
            JobActiveError: it has not ended.
            JobError: what it names is gone, or the key was used for another request.
        """
        with self._database.read() as session:
            job = require_job(session, job_id)
            if not JobStatus(job.status).has_ended:
                raise JobActiveError(
                    f"job {job_id} is {job.status}: only a job that has ended can be retried",
                    job_id=job_id,
                    status=job.status,
                )
            request = job_request_adapter.validate_python(
                {
                    "kind": job.kind,
                    "params": job.params,
                    "name": job.name,
                    "priority": job.priority,
                }
            )
        return self.submit(request, submitter, idempotency_key, retry_of=job_id)

    def get_job(self, job_id: str) -> JobView:
        """The job of this id.

        Raises:
            JobNotFoundError: there is none.
        """
        with self._database.read() as session:
            return self._view(session, require_job(session, job_id))

    def list_jobs(
        self, limit: int = 50, cursor: str | None = None, status: JobStatus | None = None
    ) -> JobList:
        """A page of at most `limit` jobs, newest first.

        Raises:
            ValidationError: the cursor is none of ours.
        """
        before = None if cursor is None else _decode_cursor(cursor)
        with self._database.read() as session:
            jobs = store.newest_jobs(session, limit + 1, before, status)
            items = [self._view(session, job) for job in jobs[:limit]]
        has_more = len(jobs) > limit
        return JobList(items=items, next_cursor=_encode_cursor(items[-1]) if has_more else None)

    def cancel(self, job_id: str) -> JobView:
        """End a job that has not ended; its workers stop within a second plus one step.

        Raises:
            JobNotFoundError: there is none.
            JobEndedError: it has ended before.
        """
        with self._database.write() as session:
            job = require_job(session, job_id)
            if not transitions.cancel_job(session, job_id):
                raise JobEndedError(
                    f"job {job_id} has ended as {job.status}: it cannot be canceled",
                    job_id=job_id,
                    status=job.status,
                )
            session.refresh(job)
            view = self._view(session, job)
        self._streams.hint(job_id)
        return view

    def list_shards(self, job_id: str) -> list[ShardView]:
        """The shards of a job, in order.

        Raises:
            JobNotFoundError: there is no such job.
        """
        with self._database.read() as session:
            unit = unit_of(require_job(session, job_id))
            return [shard_view(shard, unit) for shard in store.shards_of(session, job_id)]

    def list_workers(self) -> list[WorkerView]:
        """Workers that are online."""
        with self._database.read() as session:
            since = datetime.now(UTC) - WORKER_IS_ONLINE
            running = store.running_shards(session)
            return [
                worker_view(row, running.get(row.id, ()))
                for row in store.workers_heard_since(session, since)
            ]

    def broker_is_reachable(self) -> bool:
        """Whether Redis answers within a quarter of a second."""
        return self._streams.is_reachable()

    def database_is_ready(self) -> bool:
        """Whether the database answers and is migrated."""
        return self._database.is_ready()

    def _view(self, session: Session, job: Job) -> JobView:
        return job_view(job, self._waiting_reason(session, job))

    def _waiting_reason(self, session: Session, job: Job) -> str | None:
        if job.status != JobStatus.QUEUED:
            return None
        online = store.workers_heard_since(session, datetime.now(UTC) - WORKER_IS_ONLINE)
        if not online:
            return "No worker is online."
        ahead = store.jobs_ahead(session, job)
        if ahead:
            return f"{ahead} {'job goes' if ahead == 1 else 'jobs go'} before it."
        return "It waits for a free worker."


def open_service(settings: WebSettings) -> JobService:
    """The service over what the settings name; the bundled checkpoint is made known."""
    service = JobService(
        Database(settings.database_url),
        ArtifactStore(settings.artifacts_url),
        WebStreams(settings.redis_url),
        settings.shard_images,
    )
    service.keep_bundled_checkpoint()
    return service


def _new_shard(job_id: str, index: int, part: Part) -> Shard:
    return Shard(
        id=f"{job_id}-{index}",
        job_id=job_id,
        index=index,
        kind=part.kind,
        first_image=part.first_image,
        image_count=part.image_count,
        status=JobStatus.QUEUED,
        total=part.total,
        attempt=0,
        seq=0,
        done=0,
        saved_step=0,
        losses=0,
        loss_step=0,
        preview_version=0,
    )


def _encode_cursor(job: JobView) -> str:
    text = json.dumps([job.created_at.isoformat(), job.id])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode_cursor(cursor: str) -> tuple[datetime, str]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        created_at, job_id = json.loads(base64.urlsafe_b64decode(padded))
        return datetime.fromisoformat(created_at), str(job_id)
    except (binascii.Error, ValueError, TypeError) as error:
        raise ValidationError(
            f"cursor {cursor!r} is not one that this API gave", field="cursor", value=cursor
        ) from error
