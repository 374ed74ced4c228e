"""A picture is sent to POST /jobs, and its job is made again."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from flask.testing import FlaskClient
from PIL import Image

from formats.pictures import encode_png, read_png_parameters
from jobs.database import Database
from jobs.settings import WebSettings
from jobs.store import find_checkpoint

Faces = npt.NDArray[np.uint8]

URL = "/api/v1/jobs"
FACE = np.zeros((48, 48), np.uint8)


@pytest.fixture
def picture(
    client: FlaskClient,
    submit: Callable[..., str],
    finish: Callable[[str, Faces], None],
    faces: Faces,
) -> bytes:
    """A single image of a job of twelve, whose seed was drawn."""
    job_id = submit(count=len(faces), num_inference_steps=3, columns=4, prior="standard")
    finish(job_id, faces)
    items = client.get(f"{URL}/{job_id}/artifacts").json["items"]
    images = next(each for each in items if each["role"] == "images" and each["shard"] is None)
    return client.get(images["links"]["image"].format(index=5)).data


def post(client: FlaskClient, content: bytes, **headers: str) -> Any:
    return client.post(URL, data=content, content_type="image/png", headers=headers)


def changed(content: bytes, **says: object) -> bytes:
    """The picture with other words on how it was made; None takes one away."""
    words = {**(read_png_parameters(content) or {}), **says}
    return encode_png(FACE, {name: said for name, said in words.items() if said is not None})


def test_a_picture_repeats_its_job_with_the_same_seed(client: FlaskClient, picture: bytes) -> None:
    says = read_png_parameters(picture)
    assert says is not None

    answer = post(client, picture)

    assert answer.status_code == 202, answer.text
    assert answer.headers["Location"] == f"{URL}/{answer.json['id']}"
    first = client.get(f"{URL}/{says['job']}").json
    assert (answer.json["kind"], answer.json["params"]) == ("sample", first["params"])
    assert first["params"]["seed"] is not None
    assert answer.json["id"] != first["id"]
    assert answer.json["retry_of"] is None
    assert answer.json["name"] == f"Again: job {first['id']}"


def test_a_form_with_the_picture_does_the_same(client: FlaskClient, picture: bytes) -> None:
    form = {"file": (io.BytesIO(picture), "face.png")}

    answer = client.post(URL, data=form, content_type="multipart/form-data")

    assert answer.status_code == 202, answer.text
    says = read_png_parameters(picture)
    assert says is not None
    assert answer.json["params"] == says["params"]


def test_the_same_key_and_picture_give_the_same_job(client: FlaskClient, picture: bytes) -> None:
    first = post(client, picture, **{"Idempotency-Key": "again"})
    second = post(client, picture, **{"Idempotency-Key": "again"})
    other = changed(picture, params={"checkpoint": "bundled", "seed": 1}, checkpoints=None)

    assert second.json["id"] == first.json["id"]
    assert second.headers["Idempotency-Replayed"] == "true"
    third = post(client, other, **{"Idempotency-Key": "again"})
    assert (third.status_code, third.json["code"]) == (409, "idempotency_conflict")


def test_a_picture_of_an_older_version_names_no_checkpoints_and_is_repeated(
    client: FlaskClient, picture: bytes
) -> None:
    answer = post(client, changed(picture, job=None, checkpoints=None, image=None))

    assert (answer.status_code, answer.json["name"]) == (202, None)


@pytest.mark.parametrize(
    ("content", "reason", "words"),
    [
        (encode_png(FACE), "no_parameters", "does not say which job"),
        (encode_png(FACE, {"step": 3, "seed": 1}), "no_parameters", "does not say which job"),
        (encode_png(FACE, {"kind": 7, "params": {}}), "no_parameters", "does not say which job"),
        (
            encode_png(FACE, {"kind": "dream", "params": {}}),
            "unknown_parameters",
            "no job of this version",
        ),
        (
            encode_png(FACE, {"kind": "sample", "params": {"count": 0}}),
            "unknown_parameters",
            "params.count",
        ),
        (
            encode_png(FACE, {"kind": "sample", "params": {"colour": "blue"}}),
            "unknown_parameters",
            "params.colour",
        ),
        (encode_png(FACE, {"kind": "sample", "params": [1]}), "unknown_parameters", "params"),
        (encode_png(FACE, {"kind": "sample"})[:60], "bad_picture", "damaged"),
        (b"\xff\xd8\xff", "bad_picture", "not a PNG"),
        (b"", "bad_picture", "not a PNG"),
    ],
)
def test_a_picture_that_does_not_say_how_it_was_made_is_refused(
    client: FlaskClient, content: bytes, reason: str, words: str
) -> None:
    answer = post(client, content)

    assert (answer.status_code, answer.mimetype) == (422, "application/problem+json")
    assert (answer.json["code"], answer.json["details"]) == ("picture_rejected", {"reason": reason})
    (error,) = answer.json["errors"]
    assert error["field"] == "file"
    assert words in error["message"]
    assert "Darkroom" in error["allowed"]
    assert client.get(URL).json["items"] == []


def test_a_picture_that_another_program_saved_anew_is_refused(
    client: FlaskClient, picture: bytes
) -> None:
    saved = io.BytesIO()
    with Image.open(io.BytesIO(picture)) as image:
        image.load()
        image.copy().save(saved, "PNG", pnginfo=None)

    answer = post(client, saved.getvalue())

    assert (answer.status_code, answer.json["details"]["reason"]) == (422, "no_parameters")


def test_a_checkpoint_that_this_server_does_not_have_is_404_by_its_name(
    client: FlaskClient, picture: bytes
) -> None:
    says = read_png_parameters(picture)
    assert says is not None
    elsewhere = {**says["params"], "checkpoint": "0123456789abcdef"}

    answer = post(client, changed(picture, params=elsewhere))

    assert (answer.status_code, answer.json["code"]) == (404, "checkpoint_not_found")
    assert answer.json["errors"][0]["field"] == "params.checkpoint"
    assert "0123456789abcdef" in answer.json["detail"]


def test_another_checkpoint_under_the_same_id_is_409_with_both_hashes(
    client: FlaskClient, picture: bytes, web_settings: WebSettings
) -> None:
    says = read_png_parameters(picture)
    assert says is not None
    database = Database(web_settings.database_url)
    with database.write() as session:
        row = find_checkpoint(session, says["params"]["checkpoint"])
        assert row is not None
        before, row.sha256 = row.sha256, "f" * 64
    database.close()

    answer = post(client, picture)

    assert (answer.status_code, answer.json["code"]) == (409, "checkpoint_changed")
    assert answer.json["details"] == {"made_with": before, "holds_now": "f" * 64}
    assert before in answer.json["detail"]
    assert "f" * 64 in answer.json["detail"]
    assert answer.json["errors"][0]["field"] == "params.checkpoint"


def test_a_picture_that_is_too_large_is_413(client: FlaskClient) -> None:
    answer = client.post(
        URL,
        content_type="image/png",
        input_stream=io.BytesIO(b""),
        environ_overrides={"CONTENT_LENGTH": str(2**30)},
    )

    assert (answer.status_code, answer.json["code"]) == (413, "upload_too_large")


def test_a_form_without_a_picture_says_so(client: FlaskClient) -> None:
    answer = client.post(URL, data={"name": "x"}, content_type="multipart/form-data")

    assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, "file")
