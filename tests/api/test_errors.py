import logging
from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient

from api.errors import PROBLEM_MEDIA_TYPE, code_of, problem_response
from jobs.error_statuses import STATUSES
from jobs.errors import ArtifactStoreError, JobError


def _subclasses(root: type) -> Iterator[type]:
    for each in root.__subclasses__():
        yield each
        yield from _subclasses(each)


def test_every_error_has_a_status_and_a_code_of_its_own() -> None:
    known = list(_subclasses(JobError))

    assert set(STATUSES) == set(known)
    assert all(400 <= status < 600 for status in STATUSES.values())
    assert len({code_of(error) for error in known}) == len(known)


@pytest.mark.parametrize("error", STATUSES)
def test_an_error_is_a_problem_with_its_code(error: type[JobError]) -> None:
    with Flask("test").test_request_context():
        response = problem_response(error("it went wrong", job_id="7"))

    assert (response.status_code, response.mimetype) == (STATUSES[error], PROBLEM_MEDIA_TYPE)
    assert response.json == {
        "type": f"urn:darkroom:problem:{error.code}",
        "title": (error.__doc__ or "").rstrip("."),
        "status": STATUSES[error],
        "detail": "it went wrong",
        "code": error.code,
        "details": {"job_id": "7"},
    }


def test_an_unexpected_error_is_logged_and_tells_a_caller_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with Flask("test").test_request_context("/api/v1/jobs"), caplog.at_level(logging.ERROR):
        response = problem_response(KeyError("a secret"))

    assert (response.status_code, response.json["code"]) == (500, "internal_error")
    assert "a secret" not in response.get_data(as_text=True)
    assert "a secret" in caplog.text
    assert "GET /api/v1/jobs failed" in caplog.text


def test_an_unknown_path_below_the_api_is_a_problem(client: FlaskClient) -> None:
    answer = client.get("/api/v1/nowhere")

    assert (answer.status_code, answer.mimetype) == (404, PROBLEM_MEDIA_TYPE)
    assert answer.json["code"] == "not_found"


def test_a_wrong_method_says_which_are_right(client: FlaskClient) -> None:
    answer = client.delete("/api/v1/workers")

    assert (answer.status_code, answer.json["code"]) == (405, "method_not_allowed")
    assert "GET" in answer.headers["Allow"]


def test_an_error_that_a_view_meets_is_never_kept_by_a_cache(client: FlaskClient) -> None:
    answer = client.get("/api/v1/jobs/nothing")

    assert answer.headers["Cache-Control"] == "no-store"


def test_the_store_being_away_is_not_the_callers_fault() -> None:
    assert STATUSES[ArtifactStoreError] == 503
