"""Jobs: submit, list, look at, cancel, retry."""

from typing import Any
from urllib.parse import urlencode

from flask import Response, g, request
from pydantic import Field
from werkzeug.exceptions import UnsupportedMediaType

from api.errors import (
    BodyTooLargeError,
    FieldProblem,
    InvalidFieldsError,
    MalformedJsonError,
    SubmitterMismatchError,
)
from api.links import job_path, linked_job, linked_jobs
from api.parsing import parse_json, parse_query
from api.responses import REVALIDATE, ShardList, WorkerList, json_response
from api.routing import JSON_MEDIA_TYPE, PREFIX, Route
from api.uploads import MULTIPART, PICTURE, PNG, picture_body
from jobs import errors
from jobs.contract import Contract, CurvesView, JobList, JobStatus, JobView
from jobs.requests import job_request_adapter
from jobs.service import JobService
from jobs.submission import Submission

MAX_KEY_CHARACTERS = 255
LOCAL = "local"  # who submits where no API keys are set
IDEMPOTENCY_KEY = {
    "Idempotency-Key": f"At most {MAX_KEY_CHARACTERS} printable ASCII characters: the same "
    "key and request give the same job, another request 409."
}
PICTURE_FORM = {"type": "object", "required": ["file"], "properties": {"file": PICTURE}}
OF_A_NEW_JOB = {
    "Location": "The job.",
    "Idempotency-Replayed": "`true` if an earlier request made the job.",
}


class JobQuery(Contract):
    """Which jobs are listed."""

    limit: int = Field(50, ge=1, le=200, description="Jobs of one page.")
    cursor: str | None = Field(
        None, max_length=200, description="`next_cursor` of the page before."
    )
    status: JobStatus | None = Field(None, description="Only jobs of this status.")


class JobRoutes:
    """What can be done with jobs."""

    def __init__(self, service: JobService, *, has_keys: bool) -> None:
        """With API keys, the key decides whose job it is."""
        self._service = service
        self._has_keys = has_keys

    @Route(
        "POST",
        "/jobs",
        "Submit a job. A PNG that a job made stands for the same job, with the same seed",
        JobView,
        status=202,
        body={
            JSON_MEDIA_TYPE: job_request_adapter,
            PNG: PICTURE,
            MULTIPART: PICTURE_FORM,
        },
        headers=IDEMPOTENCY_KEY,
        response_headers=OF_A_NEW_JOB,
        errors=(
            errors.ValidationError,
            errors.CheckpointNotFoundError,
            errors.DatasetNotFoundError,
            errors.IdempotencyConflictError,
            errors.PictureRejectedError,
            errors.CheckpointChangedError,
            errors.UploadTooLargeError,
            MalformedJsonError,
            BodyTooLargeError,
            UnsupportedMediaType,
            SubmitterMismatchError,
        ),
    )
    def submit_job(self) -> Response:
        """Commit a job; it runs as soon as a worker is free."""
        key = _idempotency_key()
        if request.mimetype in (PNG, MULTIPART):
            job_request = self._service.request_of_picture(picture_body())
        else:
            job_request = parse_json(job_request_adapter)
        submitter = self._submitter(job_request.submitter)
        return _accepted(self._service.submit(job_request, submitter, key))

    @Route(
        "GET",
        "/jobs",
        "List jobs, newest first",
        JobList,
        query=JobQuery,
        response_headers={"Link": 'The next page, rel="next".', "ETag": "Of this page."},
        errors=(errors.ValidationError,),
    )
    def list_jobs(self) -> Response:
        """A page of jobs."""
        query = parse_query(JobQuery)
        page = self._service.list_jobs(query.limit, query.cursor, query.status)
        response = json_response(linked_jobs(page))
        if page.next_cursor is not None:
            following = query.model_dump(mode="json", exclude_none=True)
            following["cursor"] = page.next_cursor
            response.headers["Link"] = f'<{PREFIX}/jobs?{urlencode(following)}>; rel="next"'
        response.add_etag(weak=True)
        return _conditional(response)

    @Route(
        "GET",
        "/jobs/<job_id>",
        "Look at a job",
        JobView,
        response_headers={"ETag": "Weak, of `status_seq`: `If-None-Match` gives 304."},
        errors=(errors.JobNotFoundError,),
    )
    def get_job(self, job_id: str) -> Response:
        """A job as it is now."""
        job = self._service.get_job(job_id)
        response = json_response(linked_job(job))
        if job.waiting_reason is None:
            response.set_etag(str(job.status_seq), weak=True)
        else:  # the reason changes without the job
            response.add_etag(weak=True)
        return _conditional(response)

    @Route(
        "POST",
        "/jobs/<job_id>/cancel",
        "Cancel a job",
        JobView,
        errors=(errors.JobNotFoundError, errors.JobEndedError),
    )
    def cancel_job(self, job_id: str) -> Response:
        """End a job that has not ended."""
        return json_response(linked_job(self._service.cancel(job_id)))

    @Route(
        "POST",
        "/jobs/<job_id>/retry",
        "Make an ended job anew, with the same parameters and seed",
        JobView,
        status=202,
        headers=IDEMPOTENCY_KEY,
        response_headers=OF_A_NEW_JOB,
        errors=(
            errors.ValidationError,
            errors.JobNotFoundError,
            errors.JobActiveError,
            errors.CheckpointNotFoundError,
            errors.DatasetNotFoundError,
            errors.IdempotencyConflictError,
        ),
    )
    def retry_job(self, job_id: str) -> Response:
        """A new job; the old one stays as it is."""
        return _accepted(self._service.retry(job_id, self._submitter(None), _idempotency_key()))

    @Route(
        "GET",
        "/jobs/<job_id>/curves",
        "See the curves of a job that trains, as far as they are",
        CurvesView,
        response_headers={"ETag": "Weak."},
        errors=(errors.JobNotFoundError,),
    )
    def get_curves(self, job_id: str) -> Response:
        """Losses over training steps; empty for kinds that do not train."""
        response = json_response(self._service.curves(job_id))
        response.add_etag(weak=True)
        return _conditional(response)

    @Route(
        "GET",
        "/jobs/<job_id>/shards",
        "List a job's shards",
        ShardList,
        errors=(errors.JobNotFoundError,),
    )
    def list_shards(self, job_id: str) -> Response:
        """The parts that workers run."""
        return json_response(ShardList(items=self._service.list_shards(job_id)))

    @Route("GET", "/workers", "List the workers that are online", WorkerList)
    def list_workers(self) -> Response:
        """Who runs shards."""
        return json_response(WorkerList(items=self._service.list_workers()))

    def _submitter(self, asked_for: str | None) -> str:
        known: Any = g.get("submitter", LOCAL)
        if not self._has_keys:
            return asked_for or str(known)
        if asked_for not in (None, known):
            raise SubmitterMismatchError(
                f"submitter: this API key submits as {known!r}, not as {asked_for!r}"
            )
        return str(known)


def _accepted(submission: Submission) -> Response:
    response = json_response(linked_job(submission.job), 202)
    response.headers["Location"] = job_path(submission.job.id)
    if submission.is_replay:
        response.headers["Idempotency-Replayed"] = "true"
    return response


def _idempotency_key() -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is None or (1 <= len(key) <= MAX_KEY_CHARACTERS and key.isascii() and key.isprintable()):
        return key
    allowed = f"1 to {MAX_KEY_CHARACTERS} printable ASCII characters"
    message = f"the Idempotency-Key must have {allowed}; this one has {len(key)} characters"
    raise InvalidFieldsError(
        [FieldProblem(field="Idempotency-Key", message=message, value=len(key), allowed=allowed)]
    )


def _conditional(response: Response) -> Response:
    response.headers["Cache-Control"] = REVALIDATE
    response.make_conditional(request)
    return response
