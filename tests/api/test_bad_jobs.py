import json

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from jobs.database import Database
from jobs.settings import WebSettings
from jobs.tables import Job, Shard

PARAMS = "params"
BAD_JOBS = [
    ({"kind": "paint"}, "kind", "paint", '"sample"'),
    ({}, "kind", None, '"sample"'),
    ({"kind": "sample", "colour": 1}, "colour", 1, "kind, params"),
    ({"kind": "sample", PARAMS: {"counts": 5}}, "params.counts", 5, "preset, count"),
    ({"kind": "sample", PARAMS: {"count": 0}}, "params.count", 0, "1 to 10000"),
    ({"kind": "sample", PARAMS: {"count": 10**9}}, "params.count", 10**9, "1 to 10000"),
    ({"kind": "sample", PARAMS: {"count": "5"}}, "params.count", "5", "an integer"),
    ({"kind": "sample", PARAMS: {"count": True}}, "params.count", True, "an integer"),
    (
        {"kind": "sample", PARAMS: {"num_inference_steps": 0}},
        "params.num_inference_steps",
        0,
        "1 to 1000",
    ),
    (
        {"kind": "sample", PARAMS: {"num_inference_steps": 1001}},
        "params.num_inference_steps",
        1001,
        "1 to 1000",
    ),
    ({"kind": "sample", PARAMS: {"sampler": "euler"}}, "params.sampler", "euler", '"ddim"'),
    ({"kind": "sample", PARAMS: {"seed": 2**64}}, "params.seed", 2**64, str(2**64 - 1)),
    ({"kind": "sample", PARAMS: {"seed": -1}}, "params.seed", -1, "from 0"),
    ({"kind": "sample", PARAMS: {"eta": float("nan")}}, "params.eta", "NaN", "0 to 1"),
    ({"kind": "sample", PARAMS: {"eta": float("inf")}}, "params.eta", "Infinity", "0 to 1"),
    ({"kind": "sample", PARAMS: [1]}, "params", "[1]", "an object"),
    ({"kind": "sample", "submitter": "<b>"}, "submitter", "<b>", "1 to 64 characters"),
    (["sample"], "", '["sample"]', "an object"),
    (None, "", None, "an object"),
]


@pytest.mark.parametrize(("body", "field", "value", "allowed"), BAD_JOBS)
def test_a_wrong_field_is_named_with_its_value_and_what_is_allowed(
    client: FlaskClient,
    web_settings: WebSettings,
    body: object,
    field: str,
    value: object,
    allowed: str,
) -> None:
    answer = client.post("/api/v1/jobs", data=json.dumps(body), content_type="application/json")

    assert (answer.status_code, answer.mimetype) == (422, "application/problem+json")
    assert (answer.json["code"], answer.json["status"]) == ("validation_error", 422)
    (error,) = answer.json["errors"]
    assert (error["field"], error.get("value")) == (field, value)
    assert allowed in error["allowed"]
    assert error["message"] in answer.json["detail"]
    assert _rows(web_settings) == (0, 0)


def test_every_wrong_field_is_named_at_once(client: FlaskClient) -> None:
    body = {"kind": "sample", "params": {"count": 0, "sampler": "x"}, "priority": 101}

    answer = client.post("/api/v1/jobs", json=body)

    fields = {error["field"] for error in answer.json["errors"]}
    assert fields == {"params.count", "params.sampler", "priority"}


def test_a_checkpoint_that_does_not_exist_is_named(
    client: FlaskClient, web_settings: WebSettings
) -> None:
    body = {"kind": "sample", "params": {"checkpoint": "0123456789abcdef"}}

    answer = client.post("/api/v1/jobs", json=body)

    assert (answer.status_code, answer.json["code"]) == (404, "checkpoint_not_found")
    assert answer.json["errors"][0]["field"] == "params.checkpoint"
    assert answer.json["errors"][0]["value"] == "0123456789abcdef"
    assert _rows(web_settings) == (0, 0)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff\xfe", b'{"kind": "sample"', b"[" * 100_000, b'{"a": "\\ud800"}']
)
def test_what_is_not_json_is_400(client: FlaskClient, body: bytes) -> None:
    answer = client.post("/api/v1/jobs", data=body, content_type="application/json")

    assert (answer.status_code, answer.json["code"]) == (400, "malformed_json")


@pytest.mark.parametrize("media_type", [None, "text/plain", "application/x-www-form-urlencoded"])
def test_another_content_type_is_415(client: FlaskClient, media_type: str | None) -> None:
    answer = client.post("/api/v1/jobs", data=b'{"kind": "sample"}', content_type=media_type)

    assert (answer.status_code, answer.json["code"]) == (415, "unsupported_media_type")


def test_a_body_over_a_mebibyte_is_413(client: FlaskClient) -> None:
    body = b'{"kind": "sample", "name": "' + b"x" * 2**20 + b'"}'

    answer = client.post("/api/v1/jobs", data=body, content_type="application/json")

    assert (answer.status_code, answer.json["code"]) == (413, "body_too_large")
    assert str(2**20) in answer.json["detail"]


def _rows(settings: WebSettings) -> tuple[int, int]:
    database = Database(settings.database_url)
    with database.read() as session:
        counts = [session.scalar(select(func.count()).select_from(table)) for table in (Job, Shard)]
    database.close()
    return counts[0] or 0, counts[1] or 0
