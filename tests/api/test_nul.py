"""The character that PostgreSQL keeps in no text is refused on both databases alike."""

import base64
import json

import pytest
from flask.testing import FlaskClient

pytestmark = pytest.mark.both_databases

JOB = {"kind": "sample", "params": {}}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (JOB | {"name": "a\0b"}, "name"),
        (JOB | {"after": ["\0"]}, "after.0"),
        (JOB | {"params": {"checkpoint": "a\0"}}, "params.checkpoint"),
        (JOB | {"params": {"prior": "data", "prior_dataset": "a\0"}}, "params.prior_dataset"),
        ({"kind": "evaluate", "params": {"job": "\0"}}, "params.job"),
        ({"kind": "report", "params": {"jobs": ["\0"]}}, "params.jobs.0"),
        ({"kind": "train_ddpm", "params": {"dataset": "\0"}}, "params.dataset"),
    ],
)
def test_a_job_with_it_is_refused_field_by_field(
    client: FlaskClient, body: object, field: str
) -> None:
    answer = client.post("/api/v1/jobs", json=body)

    assert (answer.status_code, answer.json["code"]) == (422, "validation_error")
    (error,) = answer.json["errors"]
    assert error["field"] == field
    assert "characters, no NUL among them" in error["allowed"]


def test_a_new_name_and_a_pause_with_it_are_refused(client: FlaskClient) -> None:
    job = client.post("/api/v1/jobs", json=JOB).json["id"]

    renamed = client.patch(f"/api/v1/jobs/{job}", json={"name": "a\0b"})
    paused = client.put("/api/v1/queue/pauses/all", json={"reason": "a\0b"})

    for answer, field in ((renamed, "name"), (paused, "reason")):
        assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, field)


def test_a_batch_and_an_assignment_with_it_are_refused(client: FlaskClient) -> None:
    batch = {"jobs": [{"label": "a", "job": JOB | {"name": "\0"}}]}
    for path, body in [("batches", batch), ("assignments", {"name": "\0"})]:
        assert client.post(f"/api/v1/{path}", json=body).status_code == 422


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/jobs/%00",
        "/api/v1/jobs/a%00b/shards",
        "/api/v1/artifacts/%00",
        "/api/v1/checkpoints/%00",
        "/api/v1/datasets/%00",
        "/api/v1/uploads/%00",
        "/jobs/%00",
    ],
)
def test_a_path_with_it_leads_nowhere(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_a_cursor_with_it_is_none_of_ours(client: FlaskClient) -> None:
    for position in (["2026-01-01T00:00:00+00:00", "\0"], ["0001-01-01T00:00:00+14:00", "a"]):
        cursor = base64.urlsafe_b64encode(json.dumps(position).encode()).decode().rstrip("=")
        answer = client.get("/api/v1/jobs", query_string={"cursor": cursor})
        assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, "cursor")


def test_the_name_of_an_upload_is_kept_without_it_or_refused(
    client: FlaskClient, native_file
) -> None:
    content = native_file.read_bytes()
    answer = client.post(
        "/api/v1/checkpoints",
        query_string={"name": "a\0b"},
        data=content,
        content_type="application/octet-stream",
    )
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, "name")
