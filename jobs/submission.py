"""Submit jobs: one, several that name each other, the whole assignment, or one anew."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from jobs import store
from jobs.assignment import assignment_batch, in_words_of_assignment
from jobs.batches import in_item, with_labels_resolved
from jobs.children import ended_words
from jobs.clock import next_created_at
from jobs.contract import JobStatus, JobView
from jobs.database import Database
from jobs.errors import IdempotencyConflictError, JobActiveError, JobError, ValidationError
from jobs.gallery import require_job
from jobs.kinds import KINDS, Part
from jobs.kinds.references import random_seed
from jobs.parents import named_jobs, newest_that_can_succeed, require_parents, with_jobs_renamed
from jobs.queue_views import views_of
from jobs.requests import AssignmentRequest, BatchRequest, JobRequest, job_request_adapter
from jobs.streams import WebStreams
from jobs.tables import Job, JobParent, Shard


@dataclass(frozen=True)
class Submission:
    """The job of a submission; `is_replay` if it was made by an earlier one with the same key."""

    job: JobView
    is_replay: bool


@dataclass(frozen=True)
class BatchSubmission:
    """The jobs of a submission of several, in their order; `is_replay` as of one."""

    jobs: list[JobView]
    is_replay: bool


Insert = Callable[[Session], Sequence[Job]]


class SubmissionDesk:
    """Takes what people submit; a part of the job service."""

    _database: Database
    _streams: WebStreams
    _shard_images: int

    def submit(
        self, request: JobRequest, submitter: str, idempotency_key: str | None = None
    ) -> Submission:
        """Commit a job with all its shards; the same key and request give the same job.

        Raises:
            JobError: the request names what does not exist, or what does not fit.
            IdempotencyConflictError: the key was used for another request.
        """
        digest = _digest(submitter, "", request.model_dump_json())
        done = self._submit(
            lambda session: [self._insert_job(session, request, submitter)],
            submitter,
            (idempotency_key, digest),
        )
        return Submission(done.jobs[0], done.is_replay)

    def submit_batch(
        self, request: BatchRequest, submitter: str, idempotency_key: str | None = None
    ) -> BatchSubmission:
        """Commit all jobs of a batch, or none; the same key and request give the same jobs.

        Raises:
            JobError: a job names what does not exist, or what does not fit; `field` begins with
                that job's place.
            IdempotencyConflictError: the key was used for another request.
        """
        digest = _digest(submitter, "batch", request.model_dump_json())
        return self._submit(
            lambda session: self._insert_batch(session, request, submitter),
            submitter,
            (idempotency_key, digest),
        )

    def submit_assignment(
        self, request: AssignmentRequest, submitter: str, idempotency_key: str | None = None
    ) -> BatchSubmission:
        """Commit the jobs of the whole assignment, as a batch.

        Raises:
            JobError: what the request names does not exist, or does not fit.
            IdempotencyConflictError: the key was used for another request.
        """
        digest = _digest(submitter, "assignment", request.model_dump_json())
        seed = random_seed() if request.seed is None else request.seed
        batch = assignment_batch(request.model_copy(update={"seed": seed}))

        def insert(session: Session) -> Sequence[Job]:
            try:
                return self._insert_batch(session, batch, submitter)
            except JobError as error:
                raise in_words_of_assignment(error) from error

        return self._submit(insert, submitter, (idempotency_key, digest))

    def retry(self, job_id: str, submitter: str, idempotency_key: str | None = None) -> Submission:
        """A new job with the parameters of one that has ended, its seed included.

        Where it waited for a job that failed or was canceled, the new one waits for the newest
        retry of that one.

        Raises:
            JobNotFoundError: there is none.
            JobActiveError: it has not ended.
            ValidationError: a job that it waited for has to be retried first.
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
            parents = [parent.id for parent in store.parents_of(session, job_id)]
            named = {parent for _, parent in named_jobs(job.params)}
            after = [parent for parent in parents if parent not in named]
            asked = {
                "kind": job.kind,
                "params": job.params,
                "name": job.name,
                "priority": job.priority,
                "after": after,
            }
            request = job_request_adapter.validate_python(asked)

        def insert(session: Session) -> Sequence[Job]:
            follow = _require_followers(session, job_id, parents)
            followed = asked | {
                "params": with_jobs_renamed(asked["params"], lambda _, named: follow[named]),
                "after": [follow[parent] for parent in after],
            }
            new = job_request_adapter.validate_python(followed)
            return [self._insert_job(session, new, submitter, retry_of=job_id)]

        digest = _digest(submitter, job_id, request.model_dump_json())
        done = self._submit(insert, submitter, (idempotency_key, digest))
        return Submission(done.jobs[0], done.is_replay)

    def _submit(
        self, insert: Insert, submitter: str, key_and_digest: tuple[str | None, str]
    ) -> BatchSubmission:
        """Commit what `insert` adds, unless the key has done so before."""
        idempotency_key, digest = key_and_digest
        try:
            with self._database.write() as session:
                earlier = idempotency_key and store.find_by_key(session, submitter, idempotency_key)
                if earlier:
                    return _replay(session, earlier, digest)
                jobs = insert(session)
                jobs[0].idempotency_key = idempotency_key
                for job in jobs:
                    job.request_sha256 = digest
                session.flush()
                views = views_of(session, jobs)
        except IntegrityError:  # another process inserted the same key meanwhile
            if idempotency_key is None:
                raise
            with self._database.read() as session:
                earlier = store.find_by_key(session, submitter, idempotency_key)
                if earlier is None:
                    raise
                return _replay(session, earlier, digest)
        for view in views:
            self._streams.hint(view.id)
        return BatchSubmission(views, is_replay=False)

    def _insert_batch(self, session: Session, batch: BatchRequest, submitter: str) -> Sequence[Job]:
        batch_id, began = store.new_id(), next_created_at(session)
        ids: dict[str, str] = {}
        jobs: list[Job] = []
        labels = [item.label for item in batch.jobs]
        for index, item in enumerate(batch.jobs):
            with in_item(index):
                request = with_labels_resolved(session, item.job, ids, labels[index:])
                job = self._insert_job(session, request, submitter)
            job.batch_id = batch_id
            job.created_at = began + timedelta(
                microseconds=index
            )  # their order, whatever the clock
            ids[item.label] = job.id
            jobs.append(job)
            session.flush()  # the next may name it
        return jobs

    def _insert_job(
        self, session: Session, request: JobRequest, submitter: str, retry_of: str | None = None
    ) -> Job:
        kind = KINDS[request.kind]
        parents = require_parents(session, request.after, request.params.model_dump(mode="json"))
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
            request_sha256="",
            created_at=next_created_at(session),
        )
        session.add(job)
        session.add_all(_new_shard(job.id, index, part) for index, part in enumerate(parts))
        session.add_all(JobParent(job_id=job.id, parent_id=parent) for parent in parents)
        return job


def _digest(*content: str) -> str:
    return hashlib.sha256("\n".join(content).encode()).hexdigest()


def _replay(session: Session, earlier: Job, digest: str) -> BatchSubmission:
    if earlier.request_sha256 != digest:
        raise IdempotencyConflictError(
            f"this idempotency key was used for job {earlier.id} with another request; "
            "use a new key for a new request",
            job_id=earlier.id,
        )
    jobs = [earlier]
    if earlier.batch_id is not None:
        jobs = list(store.jobs_of_batch(session, earlier.batch_id))
    return BatchSubmission(views_of(session, jobs), is_replay=True)


def _require_followers(session: Session, job_id: str, parents: Sequence[str]) -> Mapping[str, str]:
    """Of each parent of a job that is retried, the one that the new job waits for.

    Raises:
        ValidationError: a parent failed or was canceled, and has no retry that can succeed.
    """
    follow: dict[str, str] = {}
    for parent_id in parents:
        newest = newest_that_can_succeed(session, parent_id)
        if newest is None:
            parent = require_job(session, parent_id)
            raise ValidationError(
                f"job {job_id} waited for job {parent_id} ({parent.kind}), which "
                f"{ended_words(parent)}: retry that one first; this one will wait for its retry",
                job_id=job_id,
                parent=parent_id,
                status=parent.status,
            )
        follow[parent_id] = newest
    return follow


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
