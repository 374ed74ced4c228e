"""Several jobs in one request."""

import io
import json
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

FACES = {"label": "faces", "job": {"kind": "sample", "params": {"count": 100}}}
FIGURES = {"label": "figures", "job": {"kind": "evaluate", "params": {"job": "faces"}}}


def npy(array: Any) -> tuple[io.BytesIO, str]:
    """An array as an uploaded file."""
    content = io.BytesIO()
    np.save(content, array)
    content.seek(0)
    return content, "array.npy"


def post(client: FlaskClient, path: str, body: object, **headers: str) -> Any:
    return client.post(f"/api/v1/{path}", json=body, headers=headers)


def test_a_batch_answers_with_its_jobs_in_order_and_gives_them_again(client: FlaskClient) -> None:
    body = {"jobs": [FACES, FIGURES]}
    key = {"Idempotency-Key": "once"}

    first = post(client, "batches", body, **key)
    second = post(client, "batches", body, **key)

    assert (first.status_code, second.status_code) == (202, 202)
    faces, figures = first.json["items"]
    assert (faces["kind"], figures["after"]) == ("sample", [faces["id"]])
    assert figures["links"]["self"] == f"/api/v1/jobs/{figures['id']}"
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    assert [job["id"] for job in second.json["items"]] == [faces["id"], figures["id"]]


def test_canceling_answers_for_the_job_and_those_that_wait_say_why(client: FlaskClient) -> None:
    faces, figures = post(client, "batches", {"jobs": [FACES, FIGURES]}).json["items"]

    canceled = client.post(f"/api/v1/jobs/{faces['id']}/cancel").json
    waiting = client.get(f"/api/v1/jobs/{figures['id']}").json

    assert (canceled["status"], waiting["status"]) == ("canceled", "canceled")
    assert canceled["also_canceled"] == [figures["id"]]
    assert canceled["links"]["retry"]
    assert waiting["error"]["code"] == "parent_canceled"
    refused = client.post(f"/api/v1/jobs/{figures['id']}/retry")
    assert refused.status_code == 422
    assert f"{faces['id']} (sample), which was canceled: retry that one" in refused.json["detail"]


BAD_BATCHES = [
    ({"jobs": []}, "jobs", "a list of 1 to 50 values"),
    ({"jobs": [FACES, FACES]}, "jobs", "every job a label of its own"),
    ({"jobs": [FACES | {"label": "No Label"}]}, "jobs.0.label", "that matches"),
    ({"jobs": [{"label": "a", "job": {"kind": "paint"}}]}, "jobs.0.job.kind", '"sample"'),
    ({"jobs": [{"label": "a", "job": {"kind": "report"}}]}, "jobs.0.job.params", "an object"),
    ({"jobs": [FIGURES, FACES]}, "jobs.0.job.params.job", "the label of a job before it"),
    ({"jobs": [FACES, FIGURES, FACES | {"label": "x"}, 5]}, "jobs.3", "an object"),
]


@pytest.mark.parametrize(("body", "field", "allowed"), BAD_BATCHES)
def test_a_bad_batch_names_the_field_and_leaves_nothing(
    client: FlaskClient, body: object, field: str, allowed: str
) -> None:
    answer = post(client, "batches", body)

    assert answer.status_code == 422, answer.text
    (error,) = answer.json["errors"]
    assert error["field"] == field
    assert allowed in error["allowed"]
    assert not answer.json["detail"].startswith(":")
    assert client.get("/api/v1/jobs").json["items"] == []


def test_a_batch_is_of_one_submitter(client: FlaskClient) -> None:
    jobs = [
        {"label": name, "job": {"kind": "sample", "submitter": name}} for name in ("ada", "bob")
    ]

    answer = post(client, "batches", {"jobs": jobs})
    alone = post(client, "batches", {"jobs": [*jobs[:1], FACES]})

    assert answer.status_code == 422
    assert answer.json["errors"][0]["field"] == "jobs.1.job.submitter"
    assert [job["submitter"] for job in alone.json["items"]] == ["ada", "ada"]


def test_a_job_that_waits_for_nobody_known_is_404_with_its_field(client: FlaskClient) -> None:
    answer = post(client, "jobs", {"kind": "report", "params": {"jobs": ["nowhere"]}})

    assert (answer.status_code, answer.json["code"]) == (404, "job_not_found")
    assert answer.json["errors"][0]["field"] == "params.jobs.0"


LONG_FACE = "an integer from 0 or an object with upload or an object with job and image"
BAD_PARAMS = [
    ("merge", {"timesteps": [0]}, "timesteps.0", 0, "an integer from 1 to 999"),
    ("merge", {"timesteps": [300, 1000]}, "timesteps.1", 1000, "an integer from 1 to 999"),
    ("merge", {"timesteps": []}, "timesteps", "[]", "a list of 1 to 20 values"),
    ("merge", {"faces": [[1]]}, "faces.0", "[1]", "a list of 2 values"),
    ("merge", {"faces": [[1, -1]]}, "faces.0.1", -1, LONG_FACE),
    ("merge", {"faces": [[{}, 1]]}, "faces.0.0", "{}", LONG_FACE),
    ("merge", {"faces": [[{"upload": 5}, 1]]}, "faces.0.0.upload", 5, "a text"),
    ("merge", {"faces": [[{"job": "a"}, 1]]}, "faces.0.0.image", None, "an integer from 0 to 9999"),
    ("merge", {"faces": 5}, "faces", 5, "a list of 1 to 100 values, each a list of 2 values"),
    ("guided_sample", {"target_ages": [-1]}, "target_ages.0", -1, "a number from 0 to 100"),
    ("guided_sample", {"target_ages": [18, 101]}, "target_ages.1", 101, "a number from 0 to 100"),
    ("guided_sample", {"target_ages": ["old"]}, "target_ages.0", "old", "a number from 0 to 100"),
    ("guided_sample", {"regressor": 5}, "regressor", 5, "or an object with job"),
    ("guided_sample", {"regressor": {"job": 5}}, "regressor.job", 5, "a text of 1 to 64"),
    ("guided_sample", {"regressor": {"id": "a"}}, "regressor", '{"id": "a"}', "an object with job"),
    ("train_regressor", {"checkpoint": None}, "checkpoint", None, "an object with job"),
    ("report", {"jobs": []}, "jobs", "[]", "a list of 1 to 50 values"),
    ("report", {"jobs": [5]}, "jobs.0", 5, "a text of 1 to 64 characters"),
]


@pytest.mark.parametrize(("kind", "params", "field", "value", "allowed"), BAD_PARAMS)
def test_of_a_value_that_may_be_several_things_one_error_says_what_was_meant(
    client: FlaskClient,
    kind: str,
    params: dict[str, object],
    field: str,
    value: object,
    allowed: str,
) -> None:
    answer = post(client, "jobs", {"kind": kind, "params": params})

    assert answer.status_code == 422, answer.text
    (error,) = answer.json["errors"]
    assert (error["field"], error.get("value")) == (f"params.{field}", value)
    assert allowed in error["allowed"]
    assert error["allowed"] in error["message"]


BAD_ASSIGNMENTS = [
    ({"num_inference_steps": 0}, "num_inference_steps", "from 1 to 1000"),
    ({"regressor": 5}, "regressor", "or null"),
    ({"sampler": "ddim"}, "sampler", '"ddpm" or "dpmpp_2m"'),
    ({"checkpoint": {"job": "a"}}, "checkpoint", "a text of 1 to 64 characters"),
    ({"faces": 5}, "faces", "checkpoint, regressor, initial, dataset"),
]


@pytest.mark.parametrize(("body", "field", "allowed"), BAD_ASSIGNMENTS)
def test_a_bad_assignment_names_the_field(
    client: FlaskClient, body: object, field: str, allowed: str
) -> None:
    answer = client.post(
        "/api/v1/assignments", data=json.dumps(body), content_type="application/json"
    )

    assert answer.status_code == 422
    (error,) = answer.json["errors"]
    assert error["field"] == field
    assert allowed in error["allowed"]


def test_an_assignment_in_few_steps_asks_for_the_faces_of_a_checkpoint_that_knows_none(
    client: FlaskClient, checkpoint_id: str
) -> None:
    body = {"checkpoint": checkpoint_id, "sampler": "dpmpp_2m", "regressor": "bundled-regressor"}

    answer = post(client, "assignments", body)

    assert answer.status_code == 422
    (error,) = answer.json["errors"]
    assert error["field"] == "dataset"
    assert error["message"].startswith("dataset: must be the id of a dataset, since checkpoint")
    assert client.get("/api/v1/jobs").json["items"] == []


@pytest.mark.parametrize(
    ("ages", "words"),
    [
        (None, "it has no ages"),
        (np.full(200, -1), "all its ages are missing"),
        (np.full(200, 101), "0 of its 200 faces have one"),
    ],
)
def test_an_assignment_on_faces_without_ages_is_refused_unless_a_regressor_is_given(
    client: FlaskClient, ages: Any, words: str
) -> None:
    random = np.random.default_rng(1)
    files = {"faces": npy(random.integers(0, 256, (200, 48, 48), np.uint8))}
    if ages is not None:
        files["ages"] = npy(ages)
    dataset = client.post("/api/v1/datasets", data=files).json["id"]

    answer = post(client, "assignments", {"dataset": dataset})

    assert answer.status_code == 422
    (error,) = answer.json["errors"]
    assert (error["field"], error["value"]) == ("dataset", dataset)
    assert words in error["message"]
    assert client.get("/api/v1/jobs").json["items"] == []
    given = post(client, "assignments", {"dataset": dataset, "regressor": "bundled"})
    assert given.json["errors"][0]["field"] == "regressor"  # no regressor, but ages are not missed
