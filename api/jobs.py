"""Jobs: submit, list, look at, change, cancel, retry."""

from urllib.parse import urlencode

from flask import Response, request
from pydantic import Field, TypeAdapter
from werkzeug.exceptions import UnsupportedMediaType

from api.errors import BodyTooLargeError, MalformedJsonError, SubmitterMismatchError
from api.links import job_path, linked_job, linked_jobs
from api.parsing import parse_json, parse_query
from api.responses import REVALIDATE, ShardList, json_response
from api.routing import JSON_MEDIA_TYPE, PREFIX, Route
from api.submitting import IDEMPOTENCY_KEY, REPLAYED, idempotency_key, submitter
from api.uploads import MULTIPART, PICTURE, PNG, picture_body
from jobs import errors
from jobs.contract import (
    CanceledJob,
    Contract,
    CurvesView,
    Deleted,
    JobList,
    JobStatus,
    JobView,
)
from jobs.requests import JobChange, job_request_adapter
from jobs.service import JobService
from jobs.submission import Submission

change_adapter: TypeAdapter[JobChange] = TypeAdapter(JobChange)
PICTURE_FORM = {"type": "object", "required": ["file"], "properties": {"file": PICTURE}}
OF_A_NEW_JOB = {
    "Location": "The job.",
    REPLAYED: "`true` if an earlier request made the job.",
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
        "Submit a job. It waits for the jobs that `after` and `params` name, and fails or is "
        "canceled with them. A PNG that a job made stands for the same job, with the same seed",
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
            errors.JobNotFoundError,
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
        key = idempotency_key()
        if request.mimetype in (PNG, MULTIPART):
            job_request = self._service.request_of_picture(picture_body())
        else:
            job_request = parse_json(job_request_adapter)
        whose = submitter(job_request.submitter, has_keys=self._has_keys)
        return _accepted(self._service.submit(job_request, whose, key))

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
        if job.status.has_ended:
            response.set_etag(str(job.status_seq), weak=True)
        else:  # reason and estimate change without the job
            response.add_etag(weak=True)
        return _conditional(response)

    @Route(
        "PATCH",
        "/jobs/<job_id>",
        "Change the priority or the name of a job that has not ended. A priority counts for the "
        "shards that are not sent yet",
        JobView,
        body={JSON_MEDIA_TYPE: change_adapter},
        errors=(
            errors.ValidationError,
            errors.JobNotFoundError,
            errors.JobEndedError,
            MalformedJsonError,
            BodyTooLargeError,
            UnsupportedMediaType,
        ),
    )
    def change_job(self, job_id: str) -> Response:
        """Change what is given, and nothing else."""
        change = parse_json(change_adapter)
        return json_response(linked_job(self._service.change_job(job_id, change)))

    @Route(
        "POST",
        "/jobs/<job_id>/cancel",
        "Cancel a job, and all that wait for it. Their `error` has the code `parent_canceled`",
        CanceledJob,
        errors=(errors.JobNotFoundError, errors.JobEndedError),
    )
    def cancel_job(self, job_id: str) -> Response:
        """End a job that has not ended; those that wait for it end with it."""
        return json_response(linked_job(self._service.cancel(job_id)))

    @Route(
        "POST",
        "/jobs/<job_id>/retry",
        "Make an ended job anew, with the same parameters and seed. Where it waited for a job that "
        "failed or was canceled, the new one waits for the newest retry of that one",
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
        whose = submitter(None, has_keys=self._has_keys)
        return _accepted(self._service.retry(job_id, whose, idempotency_key()))

    @Route(
        "DELETE",
        "/jobs/<job_id>",
        "Delete a job that has ended, with all that it made, the checkpoints that it trained "
        "included. 409 while it has not ended, and while another job needs it",
        Deleted,
        errors=(errors.JobNotFoundError, errors.JobActiveError, errors.ReferencedError),
    )
    def delete_job(self, job_id: str) -> Response:
        """It and its files are gone for good."""
        return json_response(self._service.delete_job(job_id))

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


def _accepted(submission: Submission) -> Response:
    response = json_response(linked_job(submission.job), 202)
    response.headers["Location"] = job_path(submission.job.id)
    if submission.is_replay:
        response.headers[REPLAYED] = "true"
    return response


def _conditional(response: Response) -> Response:
    response.headers["Cache-Control"] = REVALIDATE
    response.make_conditional(request)
    return response
