"""Errors as pages, in the same words as the API's."""

import logging
from http import HTTPStatus

from flask import Blueprint, Response, make_response, render_template
from werkzeug.exceptions import HTTPException

from jobs import errors
from jobs.error_statuses import RETRY_AFTER_SECONDS, STATUSES
from jobs.faults import as_job_error

log = logging.getLogger(__name__)


def error_page(error: Exception) -> Response:
    """The page for an error; of an unexpected one the log says more than the page."""
    fault = as_job_error(error)
    if fault is not None:
        log.warning("a page: %s (%s)", fault.message, error)
        error = fault
    if isinstance(error, errors.JobError):
        status, message = STATUSES[type(error)], error.message
    elif isinstance(error, HTTPException) and error.code:
        status = HTTPStatus(error.code)
        message = error.description or status.description
    else:
        log.error("a page failed", exc_info=error)
        status = HTTPStatus.INTERNAL_SERVER_ERROR
        message = "Something unexpected went wrong; the server's log says what."
    job_id = None
    if isinstance(error, errors.JobEndedError | errors.JobActiveError):
        job_id = error.details.get("job_id")
    page = render_template("error.html", status=status, message=message, job_id=job_id)
    response = make_response(page, status)
    if isinstance(error, errors.JobError) and status is HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    if isinstance(error, HTTPException):
        for name, value in error.get_headers():  # Allow, Retry-After
            if name.lower() != "content-type":
                response.headers[name] = value
    return response


def add_error_pages(pages: Blueprint) -> None:
    """Answer with a page whatever goes wrong in one of these pages."""
    pages.register_error_handler(errors.JobError, error_page)
    pages.register_error_handler(HTTPException, error_page)
    pages.register_error_handler(Exception, error_page)
