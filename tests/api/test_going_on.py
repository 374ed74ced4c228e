"""Regressors that go on from another one: what is decided, and what does not fit."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from flask.testing import FlaskClient

from diffusion import UNet, save_checkpoint
from diffusion.regressor import AgeRegressor
from formats.description import CheckpointDescription

Params = dict[str, Any]
OTHER_END = 0.02  # of the betas; the course's end at 0.01


@pytest.fixture
def keep(import_file: Callable[[Path], str], tmp_path: Path) -> Callable[..., str]:
    """Upload a network of width 8, and give its id."""

    def upload(architecture: str, **described: Any) -> str:
        torch.manual_seed(1)
        network = UNet(8) if architecture == "unet" else AgeRegressor(8)
        path = tmp_path / "network.safetensors"
        save_checkpoint(path, network, CheckpointDescription(architecture, 8, **described))
        return import_file(path)

    return upload


def submit(client: FlaskClient, kind: str = "train_regressor", **params: Any) -> Any:
    return client.post("/api/v1/jobs", json={"kind": kind, "params": params})


def refused(answer: Any) -> Params:
    """The one error, of a request that left no job behind."""
    assert (answer.status_code, answer.json["code"]) == (422, "validation_error"), answer.text
    (error,) = answer.json["errors"]
    return dict(error)


def test_it_has_the_width_of_what_it_goes_on_from(
    client: FlaskClient, keep: Callable[..., str]
) -> None:
    job = submit(client, checkpoint="bundled", initial=keep("age_regressor")).json

    assert (job["params"]["width"], job["params"]["start"]) == (8, "checkpoint")


def test_it_waits_for_the_training_that_makes_it(client: FlaskClient) -> None:
    first = submit(client, width=16, start="scratch").json

    second = submit(client, initial={"job": first["id"]}).json

    assert (second["params"]["width"], second["after"]) == (16, [first["id"]])


@pytest.mark.parametrize(
    ("params", "field", "allowed"),
    [
        ({"initial": "bundled"}, "initial", "an age regressor; this one is a noise predictor"),
        ({"initial": "bundled-judge"}, "initial", "an age regressor; this one is a judge of ages"),
        (
            {"initial": "bundled-regressor", "width": 64},
            "width",
            "32, the width of checkpoint bundled-regressor whose weights it starts from, or absent",
        ),
        (
            {"width": 64},
            "width",
            "32, the width of checkpoint bundled whose weights it starts from, or absent; or start "
            "from scratch",
        ),
        (
            {"checkpoint": "bundled-regressor"},
            "checkpoint",
            "a noise predictor; this one is an age regressor",
        ),
    ],
)
def test_what_does_not_fit_is_named(
    client: FlaskClient, params: Params, field: str, allowed: str
) -> None:
    error = refused(submit(client, **params))

    assert (error["field"], error["value"]) == (f"params.{field}", params[field])
    assert error["allowed"] == allowed
    assert client.get("/api/v1/jobs").json["items"] == []


def test_one_start_is_given(client: FlaskClient) -> None:
    answer = submit(client, initial="bundled-regressor", start="scratch")

    assert answer.status_code == 422
    assert answer.json["detail"] == "params: give initial, or scratch as start, not both"
    assert [each["field"] for each in answer.json["errors"]] == ["params.initial", "params.start"]


def test_a_regressor_that_is_nowhere_is_named(client: FlaskClient) -> None:
    answer = submit(client, initial="nowhere")

    assert (answer.status_code, answer.json["code"]) == (404, "checkpoint_not_found")
    assert answer.json["errors"][0]["field"] == "params.initial"


def test_a_regressor_of_another_schedule_is_no_start(
    client: FlaskClient, keep: Callable[..., str]
) -> None:
    other = keep("age_regressor", beta_end=OTHER_END)

    error = refused(submit(client, initial=other))

    assert (error["field"], error["value"]) == ("params.initial", other)
    assert "(1000, 0.0001, 0.01)" in error["allowed"]
    assert "(1000, 0.0001, 0.02)" in error["allowed"]


def test_the_schedule_of_a_network_that_is_still_trained_is_known(
    client: FlaskClient, keep: Callable[..., str]
) -> None:
    other = keep("unet", beta_end=OTHER_END)
    predictor = {"job": submit(client, "train_ddpm", initial=other).json["id"]}
    regressor = {"job": submit(client, checkpoint=predictor).json["id"]}

    guided = submit(client, "guided_sample", checkpoint=predictor, regressor="bundled-regressor")
    going_on = submit(client, initial=regressor)

    assert refused(guided)["field"] == "params.regressor"
    assert refused(going_on)["field"] == "params.initial"
    fitting = submit(client, "guided_sample", checkpoint=predictor, regressor=regressor)
    assert fitting.status_code == 202, fitting.text
