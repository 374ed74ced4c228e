"""What the API and the dashboard can do: submit, look, cancel, retry, keep files."""

import base64
import binascii
import json
import logging
import threading
import time
from datetime import UTC, datetime

from pydantic import TypeAdapter
from sqlalchemy.exc import SQLAlchemyError

from jobs import job_transitions, store
from jobs.artifacts import ArtifactStore
from jobs.contract import CanceledJob, JobList, JobStatus, JobView, ShardView, WorkerView
from jobs.controls import QueueControls
from jobs.database import Database
from jobs.datasets import DatasetShelf
from jobs.deletion import Deletion
from jobs.errors import ArtifactStoreError, JobEndedError, JobError, ValidationError
from jobs.gallery import Gallery, require_job
from jobs.library import CheckpointLibrary
from jobs.queue_facts import online_since
from jobs.queue_views import view_of, views_of
from jobs.readiness import Condition, ConditionWatch
from jobs.relatives import Relatives
from jobs.repeats import Repeats
from jobs.requests.base import Id
from jobs.settings import WebSettings
from jobs.streams import WebStreams
from jobs.submission import SubmissionDesk
from jobs.uploads import UploadShelf
from jobs.views import shard_view, unit_of, worker_view
from jobs.workers import running_shards, workers_heard_since

log = logging.getLogger(__name__)

RETRY_SECONDS = 5.0  # between two attempts to make the bundled checkpoints known

_id_adapter: TypeAdapter[str] = TypeAdapter(Id)


class JobService(
    SubmissionDesk,
    QueueControls,
    CheckpointLibrary,
    DatasetShelf,
    UploadShelf,
    Gallery,
    Relatives,
    Repeats,
    Deletion,
):
    """The sentences that touch database, artifact store and streams together."""

    def __init__(
        self, database: Database, artifacts: ArtifactStore, streams: WebStreams, shard_images: int
    ) -> None:
        """Work on these; jobs are split into shards of `shard_images` images."""
        self._database = database
        self._artifacts = artifacts
        self._streams = streams
        self._shard_images = shard_images
        self._conditions = ConditionWatch(database, artifacts)

    def get_job(self, job_id: str) -> JobView:
        """The job of this id.

        Raises:
            JobNotFoundError: there is none.
        """
        with self._database.read() as session:
            return view_of(session, require_job(session, job_id))

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
            items = views_of(session, jobs[:limit])
        has_more = len(jobs) > limit
        return JobList(items=items, next_cursor=_encode_cursor(items[-1]) if has_more else None)

    def cancel(self, job_id: str) -> CanceledJob:
        """End a job that has not ended; its workers stop within a second plus one step.

        Jobs that wait for it, and those that wait for them, are canceled in the same transaction.

        Raises:
            JobNotFoundError: there is none.
            JobEndedError: it has ended before.
        """
        with self._database.write() as session:
            job = require_job(session, job_id)
            ended = job_transitions.cancel_job(session, job_id)
            if not ended:
                raise JobEndedError(
                    f"job {job_id} has ended as {job.status}: it cannot be canceled",
                    job_id=job_id,
                    status=job.status,
                )
            session.refresh(job)
            view = view_of(session, job)
            canceled = CanceledJob(**dict(view), also_canceled=ended[1:])
        for each in ended:
            self._streams.hint(each)
        return canceled

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
            running = running_shards(session)
            return [
                worker_view(row, running.get(row.id, ()))
                for row in workers_heard_since(session, online_since())
            ]

    def broker_is_reachable(self) -> bool:
        """Whether Redis answers within a quarter of a second."""
        return self._streams.is_reachable()

    def database_condition(self) -> Condition:
        """Whether the database takes jobs, or what hinders it."""
        return self._conditions.of_database()

    def artifacts_condition(self) -> Condition:
        """Whether the artifact store can be read and written, or what hinders it."""
        return self._conditions.of_artifacts()


def open_service(settings: WebSettings) -> JobService:
    """The service over what the settings name; the bundled checkpoints are made known.

    It serves all the same while the artifact store does not take them, and goes on trying.
    """
    service = JobService(
        Database(settings.database_url),
        ArtifactStore(settings.artifacts_url),
        WebStreams(settings.redis_url),
        settings.shard_images,
    )
    try:
        service.keep_bundled_checkpoints()
    except ArtifactStoreError as error:
        log.error("the bundled checkpoints are not kept yet: %s", error)
        threading.Thread(target=_keep_them_later, args=[service], daemon=True).start()
    return service


def _keep_them_later(service: JobService) -> None:
    while True:
        time.sleep(RETRY_SECONDS)
        try:
            service.keep_bundled_checkpoints()
        except (JobError, SQLAlchemyError) as error:
            log.debug("the bundled checkpoints are not kept yet: %s", error)
        else:
            log.info("the bundled checkpoints are kept")
            return


def _encode_cursor(job: JobView) -> str:
    text = json.dumps([job.created_at.isoformat(), job.id])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode_cursor(cursor: str) -> tuple[datetime, str]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        text, job_id = json.loads(base64.urlsafe_b64decode(padded))
        created_at = datetime.fromisoformat(text).astimezone(UTC)
        return created_at, _id_adapter.validate_python(job_id)
    except (binascii.Error, ValueError, TypeError, OverflowError) as error:
        raise ValidationError(
            f"cursor {cursor!r} is not one that this API gave", field="cursor", value=cursor
        ) from error
