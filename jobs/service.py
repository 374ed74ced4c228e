"""What the API and the dashboard can do: submit, look, cancel, import a checkpoint."""

import base64
import binascii
import hashlib
import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from jobs import store, transitions
from jobs.artifacts import ArtifactStore
from jobs.contract import JobList, JobRequest, JobStatus, JobView, ShardView, WorkerView
from jobs.database import Database
from jobs.errors import (
    CheckpointNotFoundError,
    IdempotencyConflictError,
    JobEndedError,
    ValidationError,
)
from jobs.gallery import Gallery, require_job
from jobs.library import CheckpointLibrary
from jobs.settings import WebSettings
from jobs.streams import WebStreams
from jobs.tables import Job, Shard
from jobs.views import job_view, shard_view, worker_view

RANDOM_SEED_LIMIT = 2**53  # every JSON reader keeps such an integer whole
WORKER_IS_ONLINE = timedelta(seconds=30)


@dataclass(frozen=True)
class Submission:
    """The job of a submission; `is_replay` if it was made by an earlier one with the same key."""

    job: JobView
    is_replay: bool


class JobService(CheckpointLibrary, Gallery):
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
        self, request: JobRequest, submitter: str, idempotency_key: str | None = None
    ) -> Submission:
        """Commit a job with all its shards; the same key and request give the same job.

        Raises:
            CheckpointNotFoundError: the request names a checkpoint that does not exist.
            IdempotencyConflictError: the key was used for another request.
        """
        digest = hashlib.sha256(f"{submitter}\n{request.model_dump_json()}".encode()).hexdigest()
        try:
            with self._database.write() as session:
                earlier = idempotency_key and store.find_by_key(session, submitter, idempotency_key)
                if earlier:
                    return self._replay(session, earlier, digest)
                job = self._insert_job(session, request, submitter)
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

    def _insert_job(self, session: Session, request: JobRequest, submitter: str) -> Job:
        params = request.params
        checkpoint = store.find_checkpoint(session, params.checkpoint)
        if checkpoint is None:
            raise CheckpointNotFoundError(
                f"params.checkpoint: there is no checkpoint {params.checkpoint!r}; "
                "GET /api/v1/checkpoints lists them",
                field="params.checkpoint",
                value=params.checkpoint,
            )
        timesteps = checkpoint.description["timesteps"]
        if params.num_inference_steps > timesteps:
            raise ValidationError(
                f"params.num_inference_steps: must be within 1 and {timesteps}, the timesteps of "
                f"checkpoint {checkpoint.id}, not {params.num_inference_steps}",
                field="params.num_inference_steps",
                value=params.num_inference_steps,
                allowed=f"1 … {timesteps}",
            )
        if params.seed is None:
            params = params.model_copy(update={"seed": secrets.randbelow(RANDOM_SEED_LIMIT)})
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
            total=params.count * params.num_inference_steps,
            created_at=datetime.now(UTC),
        )
        session.add(job)
        starts = range(0, params.count, self._shard_images)
        for index, first in enumerate(starts):
            count = min(self._shard_images, params.count - first)
            total = count * params.num_inference_steps
            session.add(_new_shard(job.id, index, "sample", (first, count), total))
        session.add(_new_shard(job.id, len(starts), "assemble", (0, params.count), 0))
        return job

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
            require_job(session, job_id)
            return [shard_view(shard) for shard in store.shards_of(session, job_id)]

    def list_workers(self) -> list[WorkerView]:
        """Workers that are online."""
        with self._database.read() as session:
            since = datetime.now(UTC) - WORKER_IS_ONLINE
            return [worker_view(row) for row in store.workers_heard_since(session, since)]

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


def _new_shard(job_id: str, index: int, kind: str, images: tuple[int, int], total: int) -> Shard:
    return Shard(
        id=f"{job_id}-{index}",
        job_id=job_id,
        index=index,
        kind=kind,
        first_image=images[0],
        image_count=images[1],
        status=JobStatus.QUEUED,
        total=total,
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
