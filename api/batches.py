"""Several jobs in one submission: a batch that names its own jobs, or the whole assignment."""

from flask import Response
from pydantic import TypeAdapter
from werkzeug.exceptions import UnsupportedMediaType

from api.errors import (
    BodyTooLargeError,
    FieldProblem,
    InvalidFieldsError,
    MalformedJsonError,
    SubmitterMismatchError,
)
from api.links import linked_job
from api.parsing import parse_json
from api.responses import JobBatch, json_response
from api.routing import JSON_MEDIA_TYPE, Route
from api.submitting import IDEMPOTENCY_KEY, REPLAYED, idempotency_key, submitter
from jobs import errors
from jobs.requests import AssignmentRequest, BatchRequest
from jobs.service import JobService
from jobs.submission import BatchSubmission

OF_NEW_JOBS = {REPLAYED: "`true` if an earlier request made the jobs."}
ONE_SUBMITTER = "one submitter for all jobs of a batch"
ERRORS = (
    errors.ValidationError,
    errors.JobNotFoundError,
    errors.CheckpointNotFoundError,
    errors.DatasetNotFoundError,
    errors.IdempotencyConflictError,
    MalformedJsonError,
    BodyTooLargeError,
    UnsupportedMediaType,
    SubmitterMismatchError,
)

batch_adapter: TypeAdapter[BatchRequest] = TypeAdapter(BatchRequest)
assignment_adapter: TypeAdapter[AssignmentRequest] = TypeAdapter(AssignmentRequest)


class BatchRoutes:
    """What can be submitted beside a single job."""

    def __init__(self, service: JobService, *, has_keys: bool) -> None:
        """With API keys, the key decides whose jobs they are."""
        self._service = service
        self._has_keys = has_keys

    @Route(
        "POST",
        "/batches",
        "Submit several jobs that may name each other, all of them or none. A job names another by "
        "its label wherever the id of a job belongs: in `after`, in `job`, in `jobs`",
        JobBatch,
        status=202,
        body={JSON_MEDIA_TYPE: batch_adapter},
        headers=IDEMPOTENCY_KEY,
        response_headers=OF_NEW_JOBS,
        errors=ERRORS,
    )
    def submit_batch(self) -> Response:
        """Commit jobs; each runs as soon as those that it waits for have succeeded."""
        key = idempotency_key()
        batch = parse_json(batch_adapter)
        whose = submitter(_named_submitter(batch), has_keys=self._has_keys)
        return _accepted(self._service.submit_batch(batch, whose, key))

    @Route(
        "POST",
        "/assignments",
        "Submit the whole assignment: sample, merge, train a regressor, guide, evaluate, report. "
        "It is a batch of up to eight jobs; the last is the report on all others",
        JobBatch,
        status=202,
        body={JSON_MEDIA_TYPE: assignment_adapter},
        headers=IDEMPOTENCY_KEY,
        response_headers=OF_NEW_JOBS,
        errors=ERRORS,
    )
    def submit_assignment(self) -> Response:
        """Commit the assignment's jobs."""
        key = idempotency_key()
        assignment = parse_json(assignment_adapter)
        whose = submitter(assignment.submitter, has_keys=self._has_keys)
        return _accepted(self._service.submit_assignment(assignment, whose, key))


def _named_submitter(batch: BatchRequest) -> str | None:
    named = [item.job.submitter for item in batch.jobs]
    first = next((each for each in named if each is not None), None)
    for index, each in enumerate(named):
        if each not in (None, first):
            field = f"jobs.{index}.job.submitter"
            message = f"{field}: must be {first!r} as of the jobs before it, not {each!r}"
            problem = FieldProblem(field=field, message=message, value=each, allowed=ONE_SUBMITTER)
            raise InvalidFieldsError([problem])
    return first


def _accepted(submission: BatchSubmission) -> Response:
    response = json_response(JobBatch(items=[linked_job(job) for job in submission.jobs]), 202)
    if submission.is_replay:
        response.headers[REPLAYED] = "true"
    return response
