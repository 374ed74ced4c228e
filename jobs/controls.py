"""What people decide about the queue: priority, pauses, drains; and what it looks like."""

from datetime import UTC, datetime

from jobs import transitions
from jobs.contract import JobView, WorkerView
from jobs.database import Database
from jobs.errors import JobEndedError, WorkerNotFoundError
from jobs.estimates import record_of_estimates
from jobs.gallery import require_job
from jobs.pauses import pause, pause_view, pauses, resume
from jobs.queue_contract import PauseView, QueueView, UsageView
from jobs.queue_views import view_of
from jobs.requests import JobChange
from jobs.streams import WebStreams
from jobs.timings import speeds
from jobs.usage import usage_of_all
from jobs.views import worker_view
from jobs.workers import find_worker, running_shards


class QueueControls:
    """Decisions about the queue are rows, obeyed at the last moment; a part of the job service."""

    _database: Database
    _streams: WebStreams

    def change_job(self, job_id: str, change: JobChange) -> JobView:
        """Give a job another priority or name; what of it is already sent goes on.

        Raises:
            JobNotFoundError: there is none.
            JobEndedError: it has ended.
        """
        values = change.model_dump(exclude_unset=True)
        with self._database.write() as session:
            job = require_job(session, job_id)
            if not transitions.change_job(session, job_id, values):
                raise JobEndedError(
                    f"job {job_id} has ended as {job.status}: it cannot be changed",
                    job_id=job_id,
                    status=job.status,
                )
            session.refresh(job)
            view = view_of(session, job)
        self._streams.hint(job_id)
        return view

    def queue(self) -> QueueView:
        """Pauses, who has used how much of late, measured speeds, and how estimates came true."""
        now = datetime.now(UTC)
        with self._database.read() as session:
            return QueueView(
                pauses=[pause_view(row) for row in pauses(session).values()],
                usage=[
                    UsageView(submitter=name, device_seconds=seconds)
                    for name, seconds in usage_of_all(session, now)
                ],
                speeds=speeds(session),
                estimates=record_of_estimates(session),
            )

    def pause_queue(self, scope: str, reason: str, by: str) -> PauseView:
        """Send nothing new of a kind, or of `all`; what runs goes on.

        Raises:
            ValidationError: there is no such kind.
        """
        with self._database.write() as session:
            view = pause_view(pause(session, scope, reason, by))
        self._streams.hint_all()
        return view

    def resume_queue(self, scope: str) -> None:
        """Send again what was paused.

        Raises:
            PauseNotFoundError: it is not paused.
        """
        with self._database.write() as session:
            resume(session, scope)
        self._streams.hint_all()

    def drain_worker(self, worker_id: str, by: str) -> WorkerView:
        """Send this worker no more shards; it finishes what it holds, and stays idle.

        Raises:
            WorkerNotFoundError: no such worker was heard of late.
        """
        return self._set_drain(worker_id, datetime.now(UTC), by)

    def undrain_worker(self, worker_id: str) -> WorkerView:
        """Send this worker shards again.

        Raises:
            WorkerNotFoundError: no such worker was heard of late.
        """
        return self._set_drain(worker_id, None, None)

    def _set_drain(self, worker_id: str, at: datetime | None, by: str | None) -> WorkerView:
        with self._database.write() as session:
            worker = find_worker(session, worker_id)
            if worker is None:
                raise WorkerNotFoundError(
                    f"there is no worker {worker_id!r}; GET /api/v1/workers lists those online",
                    worker_id=worker_id,
                )
            if (worker.drained_at is None) != (at is None):
                worker.drained_at, worker.drained_by = at, by
            running = running_shards(session).get(worker_id, [])
            view = worker_view(worker, running)
        self._streams.hint_all()
        return view
