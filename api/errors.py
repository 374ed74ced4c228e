"""Errors as problem+json (RFC 9457)."""

import logging
from http import HTTPStatus
from typing import Any

from flask import Response, request
from pydantic import Field
from werkzeug.exceptions import (
    BadRequest,
    Forbidden,
    HTTPException,
    RequestEntityTooLarge,
    ServiceUnavailable,
    UnprocessableEntity,
)

from jobs import errors
from jobs.contract import Contract
from jobs.error_statuses import RETRY_AFTER_SECONDS, STATUSES
from jobs.faults import as_job_error

log = logging.getLogger(__name__)

PROBLEM_MEDIA_TYPE = "application/problem+json"
INTERNAL_ERROR = "internal_error"
OF_A_FIELD = ("field", "value", "allowed")  # details that say what is wrong with one field


class FieldProblem(Contract):
    """What is wrong with one field."""

    field: str = Field(description="Its path, `params.count`; empty for the whole body.")
    message: str
    value: Any = Field(None, description="What was sent, a structure as its JSON text.")
    allowed: str | None = Field(None, description="What may be sent.")


class Problem(Contract):
    """An error, after RFC 9457."""

    type: str = Field(description="`urn:darkroom:problem:` and the code.")
    title: str = Field(description="What went wrong, whenever this code comes.")
    status: int
    detail: str = Field(description="What went wrong this time.")
    code: str = Field(description="Stable, for programs.")
    errors: list[FieldProblem] | None = Field(None, description="Field by field.")
    details: dict[str, Any] | None = Field(None, description="Facts beside the message.")


class MalformedJsonError(BadRequest):
    """The body is not JSON."""

    problem_code = "malformed_json"


class BodyTooLargeError(RequestEntityTooLarge):
    """The body is over the limit of a JSON body."""

    problem_code = "body_too_large"


class SubmitterMismatchError(Forbidden):
    """The body names another submitter than the API key."""

    problem_code = "submitter_mismatch"


class TooManyStreamsError(ServiceUnavailable):
    """All places for open event streams are taken."""

    problem_code = "too_many_streams"


class InvalidFieldsError(UnprocessableEntity):
    """The request says something that cannot be."""

    problem_code = errors.ValidationError.code

    def __init__(self, problems: list[FieldProblem]) -> None:
        """Keep what is wrong, field by field."""
        super().__init__("; ".join(dict.fromkeys(problem.message for problem in problems)))
        self.problems = problems


def status_of(error: type[Exception]) -> int:
    """The HTTP status of an error class."""
    if issubclass(error, HTTPException):
        return error.code or HTTPStatus.INTERNAL_SERVER_ERROR
    if issubclass(error, errors.JobError):
        return STATUSES.get(error, HTTPStatus.INTERNAL_SERVER_ERROR)
    return HTTPStatus.INTERNAL_SERVER_ERROR


def code_of(error: type[Exception]) -> str:
    """The stable code of an error class."""
    if issubclass(error, errors.JobError):
        return error.code
    if issubclass(error, HTTPException) and error.code:
        generic = HTTPStatus(error.code).phrase.lower().replace(" ", "_").replace("-", "_")
        return str(getattr(error, "problem_code", generic))
    return INTERNAL_ERROR


def title_of(error: type[Exception]) -> str:
    """One sentence on an error class."""
    if issubclass(error, HTTPException) and not hasattr(error, "problem_code"):
        return HTTPStatus(error.code or HTTPStatus.INTERNAL_SERVER_ERROR).phrase
    return (error.__doc__ or "").partition("\n")[0].rstrip(".")


def problem_of(error: Exception) -> Problem:
    """The problem that an error is to a caller; of an unexpected one nothing is told."""
    kind = type(error)
    values: dict[str, Any] = {
        "type": f"urn:darkroom:problem:{code_of(kind)}",
        "title": title_of(kind),
        "status": status_of(kind),
        "code": code_of(kind),
    }
    if isinstance(error, errors.JobError):
        values["detail"] = error.message
        others = {key: value for key, value in error.details.items() if key not in OF_A_FIELD}
        if "field" in error.details:
            values["errors"] = [_field_problem(error)]
        if others:
            values["details"] = others
    elif isinstance(error, HTTPException):
        values["detail"] = error.description or title_of(kind)
        if isinstance(error, InvalidFieldsError):
            values["errors"] = error.problems
    else:
        values["title"] = "Internal error"
        values["detail"] = "Something unexpected went wrong; the server's log says what."
    return Problem(**values)


def problem_response(error: Exception) -> Response:
    """The answer to a request that met this error; an unexpected one is logged."""
    fault = as_job_error(error)
    if fault is not None:
        log.warning("%s %s: %s (%s)", request.method, request.path, fault.message, error)
        error = fault
    if not isinstance(error, errors.JobError | HTTPException):
        log.exception("%s %s failed", request.method, request.path, exc_info=error)
    problem = problem_of(error)
    body = problem.model_dump_json(exclude_unset=True)
    response = Response(body, problem.status, mimetype=PROBLEM_MEDIA_TYPE)
    response.cache_control.no_store = True
    if isinstance(error, errors.JobError) and problem.status == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    if isinstance(error, HTTPException):
        for name, value in error.get_headers():  # Allow, Retry-After, WWW-Authenticate
            if name.lower() != "content-type":
                response.headers.add(name, value)
    return response


def _field_problem(error: errors.JobError) -> FieldProblem:
    known = {key: error.details[key] for key in ("value", "allowed") if key in error.details}
    return FieldProblem(field=error.details["field"], message=error.message, **known)
