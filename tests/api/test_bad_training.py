"""Requests of the kinds `train_ddpm` and `evaluate` that cannot be, and what is said of them."""

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

Params = dict[str, Any]

OUT_OF_RANGE = [
    ("train_ddpm", {"width": 7}, "width", "from 8 to 128"),
    ("train_ddpm", {"width": 129}, "width", "from 8 to 128"),
    ("train_ddpm", {"width": "64"}, "width", "an integer"),
    ("train_ddpm", {"steps": 0}, "steps", "from 1 to 10000000"),
    ("train_ddpm", {"minutes": 0}, "minutes", "above 0 to 14400"),
    ("train_ddpm", {"minutes": 14_401}, "minutes", "above 0 to 14400"),
    ("train_ddpm", {"images": 10**10}, "images", "from 1 to 1000000000"),
    ("train_ddpm", {"batch_size": 4097}, "batch_size", "from 1 to 4096"),
    ("train_ddpm", {"learning_rate": 0}, "learning_rate", "above 0 to 0.1"),
    ("train_ddpm", {"learning_rate": 1}, "learning_rate", "above 0 to 0.1"),
    ("train_ddpm", {"warmup_steps": 0}, "warmup_steps", "from 1 to 100000"),
    ("train_ddpm", {"ema_decay": 1}, "ema_decay", "from 0 and below 1"),
    ("train_ddpm", {"gradient_norm": 0}, "gradient_norm", "above 0 to 1000"),
    ("train_ddpm", {"horizontal_flips": "yes"}, "horizontal_flips", "true or false"),
    ("train_ddpm", {"holdout_fraction": 0}, "holdout_fraction", "above 0 to 0.5"),
    ("train_ddpm", {"holdout_fraction": 0.6}, "holdout_fraction", "above 0 to 0.5"),
    ("train_ddpm", {"seed": -1}, "seed", "from 0"),
    ("train_ddpm", {"synthetic_count": 99}, "synthetic_count", "from 100 to 200000"),
    ("train_ddpm", {"synthetic_seed": 2**64}, "synthetic_seed", "to 18446744073709551615"),
    ("train_ddpm", {"dataset": ""}, "dataset", "1 to 64 characters"),
    ("train_regressor", {"low_noise_share": 1}, "low_noise_share", "from 0 and below 1"),
    ("train_ddpm", {"epochs": 3}, "epochs", "steps, minutes, images"),
    ("evaluate", {"job": "x", "faces": 199}, "faces", "from 200 to 10000"),
    ("evaluate", {"job": 5}, "job", "a text"),
    ("sample", {"preset": "slow"}, "preset", '"assignment" or "fast"'),
    ("sample", {"timesteps": "karras"}, "timesteps", '"trailing" or "logsnr"'),
    ("sample", {"prior": "noise"}, "prior", '"standard" or "data"'),
    ("sample", {"preset": "fast", "count": 0}, "count", "from 1 to 10000"),
]


def refuse(client: FlaskClient, kind: str, params: Params) -> Any:
    """The problem that this request is."""
    answer = client.post("/api/v1/jobs", json={"kind": kind, "params": params})
    assert answer.mimetype == "application/problem+json", answer.text
    for jargon in ("Input should", "Value error", "tag", "discriminator", "train_ddpm.", "union"):
        assert jargon not in answer.json["detail"]
    assert client.get("/api/v1/jobs").json["items"] == []
    return answer


@pytest.mark.parametrize(("kind", "params", "field", "allowed"), OUT_OF_RANGE)
def test_a_value_out_of_its_range_is_named_with_the_range(
    client: FlaskClient, kind: str, params: Params, field: str, allowed: str
) -> None:
    answer = refuse(client, kind, params)

    assert answer.status_code == 422
    (error,) = answer.json["errors"]
    assert (error["field"], error["value"]) == (f"params.{field}", params[field])
    assert allowed in error["allowed"]


def test_two_limits_of_one_training_are_both_named(client: FlaskClient) -> None:
    answer = refuse(client, "train_ddpm", {"steps": 5, "minutes": 2.5})

    assert answer.json["detail"] == "params: give at most one of steps, minutes, images"
    assert [(each["field"], each["value"]) for each in answer.json["errors"]] == [
        ("params.steps", 5),
        ("params.minutes", 2.5),
    ]


@pytest.mark.parametrize("params", [{}, {"job": "a", "checkpoint": "b"}])
def test_an_evaluation_needs_exactly_one_subject(client: FlaskClient, params: Params) -> None:
    answer = refuse(client, "evaluate", params)

    assert answer.json["detail"] == "params: give exactly one of job and checkpoint"
    assert [(each["field"], each["value"]) for each in answer.json["errors"]] == [
        ("params.job", params.get("job")),
        ("params.checkpoint", params.get("checkpoint")),
    ]


def test_an_evaluation_without_params_says_what_is_missing(client: FlaskClient) -> None:
    answer = client.post("/api/v1/jobs", json={"kind": "evaluate"})

    assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, "params")


MISFITS = [
    ("train_ddpm", {"synthetic_count": 100, "batch_size": 99}, "batch_size", 99, "at most 98"),
    ("evaluate", {"checkpoint": "bundled", "synthetic_count": 150}, "dataset", "synthetic", "200"),
    ("sample", {"prior": "data", "prior_dataset": None}, "prior_dataset", None, "a dataset"),
]


@pytest.mark.parametrize("misfit", MISFITS)
def test_what_does_not_fit_what_it_names_is_refused(
    client: FlaskClient,
    checkpoint_id: str,
    misfit: tuple[str, Params, str, object, str],
) -> None:
    kind, params, field, value, allowed = misfit
    if kind == "sample":
        params = params | {"checkpoint": checkpoint_id}

    answer = refuse(client, kind, params)

    assert answer.status_code == 422
    (error,) = answer.json["errors"]
    assert (error["field"], error["value"]) == (f"params.{field}", value)
    assert allowed in error["allowed"]


def test_a_fast_sample_of_a_checkpoint_without_a_prior_asks_for_a_dataset(
    client: FlaskClient, checkpoint_id: str
) -> None:
    params = {"preset": "fast", "checkpoint": checkpoint_id}

    answer = refuse(client, "sample", params)

    assert answer.json["errors"][0]["field"] == "params.prior_dataset"
    taken = {"kind": "sample", "params": params | {"prior_dataset": "synthetic"}}
    job = client.post("/api/v1/jobs", json=taken).json
    assert (job["params"]["sampler"], job["params"]["num_inference_steps"]) == ("dpmpp_2m", 20)


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        ("train_ddpm", "initial"),
        ("train_ddpm", "dataset"),
        ("evaluate", "checkpoint"),
        ("evaluate", "dataset"),
        ("evaluate", "job"),
        ("sample", "prior_dataset"),
    ],
)
def test_what_is_not_there_is_named(client: FlaskClient, kind: str, field: str) -> None:
    params = {field: "nowhere"}
    if kind == "evaluate" and field == "dataset":
        params["checkpoint"] = "bundled"

    answer = refuse(client, kind, params)

    assert answer.status_code == 404
    assert answer.json["code"].endswith("_not_found")
    assert answer.json["errors"][0]["field"] == f"params.{field}"
    assert answer.json["errors"][0]["value"] == "nowhere"


def test_a_network_of_another_width_is_no_start(client: FlaskClient, checkpoint_id: str) -> None:
    answer = refuse(client, "train_ddpm", {"initial": checkpoint_id, "width": 16})

    (error,) = answer.json["errors"]
    assert (error["field"], error["value"]) == ("params.width", 16)
    assert error["allowed"].startswith("2, the width of checkpoint")


def test_only_a_job_that_makes_enough_images_is_evaluated(
    client: FlaskClient, submit: Callable[..., str]
) -> None:
    few = submit(count=99)
    training = client.post("/api/v1/jobs", json={"kind": "train_ddpm"}).json["id"]

    for job, words in [(few, "at least 100 images"), (training, "this one is a train_ddpm")]:
        answer = client.post("/api/v1/jobs", json={"kind": "evaluate", "params": {"job": job}})

        assert answer.status_code == 422
        (error,) = answer.json["errors"]
        assert (error["field"], error["value"]) == ("params.job", job)
        assert words in error["message"]


def test_an_evaluation_waits_for_a_job_that_can_succeed_and_refuses_one_that_cannot(
    client: FlaskClient, submit: Callable[..., str]
) -> None:
    job = submit()
    body = {"kind": "evaluate", "params": {"job": job}}

    waiting = client.post("/api/v1/jobs", json=body)
    client.post(f"/api/v1/jobs/{job}/cancel")
    refused = client.post("/api/v1/jobs", json=body)

    assert (waiting.status_code, waiting.json["after"]) == (202, [job])
    assert waiting.json["waiting_reason"] == f"It waits for job {job} (sample, queued)."
    assert refused.status_code == 422
    (error,) = refused.json["errors"]
    assert (error["field"], error["value"]) == ("params.job", job)
    assert (error["allowed"], refused.json["details"]) == (
        "a job that can still succeed",
        {"status": "canceled"},
    )
