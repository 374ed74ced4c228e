import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from flask.testing import FlaskClient

from formats.pictures import decode_png, read_png_parameters
from jobs.database import Database
from jobs.settings import WebSettings
from jobs.store import shards_of
from jobs.streams import WorkerStreams

Faces = npt.NDArray[np.uint8]
Submit = Callable[..., str]
Finish = Callable[[str, Faces], None]


@pytest.fixture
def finished(submit: Submit, finish: Finish, faces: Faces) -> str:
    """Id of a job that has ended with `faces`."""
    job_id = submit(count=len(faces), num_inference_steps=1)
    finish(job_id, faces)
    return job_id


def _artifact(client: FlaskClient, job_id: str, role: str) -> dict[str, object]:
    items = client.get(f"/api/v1/jobs/{job_id}/artifacts").json["items"]
    return next(item for item in items if item["role"] == role and item["shard"] is None)


def test_a_finished_job_lists_its_whole_before_its_pieces(
    client: FlaskClient, finished: str
) -> None:
    items = client.get(f"/api/v1/jobs/{finished}/artifacts").json["items"]

    assert [(each["role"], each["shard"], each["shape"]) for each in items] == [
        ("collage", None, [144, 192]),
        ("images", None, [12, 48, 48]),
        ("images", 0, [12, 48, 48]),
    ]
    assert client.get(f"/api/v1/jobs/{finished}").json["status"] == "succeeded"


def test_an_artifact_is_its_bytes_under_its_hash(
    client: FlaskClient, finished: str, faces: Faces
) -> None:
    artifact = _artifact(client, finished, "images")

    answer = client.get(artifact["links"]["self"])

    assert answer.status_code == 200
    assert hashlib.sha256(answer.data).hexdigest() == artifact["sha256"]
    assert answer.headers["ETag"] == f'"{artifact["sha256"]}"'
    assert "immutable" in answer.headers["Cache-Control"]
    assert answer.headers["Content-Disposition"] == (
        f"attachment; filename=job-{finished}-images.npy"
    )
    assert np.array_equal(np.load(io.BytesIO(answer.data)), faces)


def test_a_picture_is_shown_and_not_downloaded(client: FlaskClient, finished: str) -> None:
    answer = client.get(_artifact(client, finished, "collage")["links"]["self"])

    assert answer.mimetype == "image/png"
    assert answer.headers["Content-Disposition"].startswith("inline")
    assert decode_png(answer.data).shape == (144, 192)


def test_a_known_artifact_is_304(client: FlaskClient, finished: str) -> None:
    artifact = _artifact(client, finished, "collage")
    known = {"If-None-Match": f'"{artifact["sha256"]}"'}

    answer = client.get(artifact["links"]["self"], headers=known)

    assert (answer.status_code, answer.data) == (304, b"")


def test_a_range_of_an_artifact_can_be_asked_for(client: FlaskClient, finished: str) -> None:
    artifact = _artifact(client, finished, "images")
    whole = client.get(artifact["links"]["self"]).data

    part = client.get(artifact["links"]["self"], headers={"Range": "bytes=6-99"})

    assert (part.status_code, part.data) == (206, whole[6:100])
    assert part.headers["Content-Range"] == f"bytes 6-99/{len(whole)}"


def test_a_single_image_is_a_png_that_says_how_it_was_made(
    client: FlaskClient, finished: str, faces: Faces
) -> None:
    template = _artifact(client, finished, "images")["links"]["image"]

    answer = client.get(template.format(index=11))

    assert answer.mimetype == "image/png"
    assert np.array_equal(decode_png(answer.data), faces[11])
    job = client.get(f"/api/v1/jobs/{finished}").json
    checkpoint = client.get(f"/api/v1/checkpoints/{job['params']['checkpoint']}").json
    assert read_png_parameters(answer.data) == {
        "job": finished,
        "kind": "sample",
        "params": job["params"],
        "checkpoints": {"checkpoint": checkpoint["sha256"]},
        "image": 11,
    }
    assert job["params"]["seed"] is not None
    assert b"digitalsourcetype/trainedAlgorithmicMedia" in answer.data
    known = {"If-None-Match": answer.headers["ETag"]}
    assert client.get(template.format(index=11), headers=known).status_code == 304
    assert client.get(template.format(index=10), headers=known).status_code == 200


@pytest.mark.parametrize("path", ["", "/images/12.png", "/images/x.png", "/images/-1.png"])
def test_what_is_not_there_is_404(client: FlaskClient, finished: str, path: str) -> None:
    own = _artifact(client, finished, "images")["id"]

    for artifact_id in ("nothing", own) if path else ("nothing",):
        answer = client.get(f"/api/v1/artifacts/{artifact_id}{path}")

        assert answer.status_code == 404
        assert answer.json["code"] in ("artifact_not_found", "not_found")


def test_a_lost_file_is_said_to_be_lost(
    client: FlaskClient, finished: str, web_settings: WebSettings
) -> None:
    artifact = _artifact(client, finished, "images")
    for path in Path(web_settings.artifacts_url).rglob("images.npy"):
        path.unlink()

    answer = client.get(artifact["links"]["self"])

    assert (answer.status_code, answer.json["code"]) == (404, "artifact_file_not_found")


def test_a_download_holds_all_that_the_job_made(
    client: FlaskClient, finished: str, faces: Faces
) -> None:
    job = client.get(f"/api/v1/jobs/{finished}").json

    answer = client.get(job["links"]["download"])

    assert answer.mimetype == "application/zip"
    assert answer.headers["Content-Disposition"] == f"attachment; filename=job-{finished}.zip"
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        assert archive.testzip() is None
        folder = f"job-{finished}/"
        images = [f"{folder}images/{index:03}.png" for index in range(12)]
        assert archive.namelist() == [
            *(folder + name for name in ("job.json", "collage.png", "images.npy")),
            *images,
        ]
        assert json.loads(archive.read(f"{folder}job.json")) == job
        assert np.array_equal(np.load(io.BytesIO(archive.read(f"{folder}images.npy"))), faces)
        template = _artifact(client, finished, "images")["links"]["image"]
        for index, name in enumerate(images):
            assert archive.read(name) == client.get(template.format(index=index)).data


def test_an_unfinished_job_has_nothing_to_download(client: FlaskClient, submit: Submit) -> None:
    answer = client.get(f"/api/v1/jobs/{submit()}/download")

    assert (answer.status_code, answer.json["code"]) == (404, "artifact_not_found")
    assert "queued" in answer.json["detail"]


@pytest.fixture
def running(submit: Submit, web_settings: WebSettings) -> str:
    """Id of a job whose second shard runs."""
    job_id = submit(count=50)
    database = Database(web_settings.database_url)
    with database.write() as session:
        shard = shards_of(session, job_id)[1]
        shard.status, shard.attempt, shard.holder = "running", 1, "worker-1"
    database.close()
    return job_id


def test_a_preview_is_sent_again_only_when_it_has_changed(
    client: FlaskClient, running: str, web_settings: WebSettings
) -> None:
    worker = WorkerStreams(web_settings.redis_url, "worker-1")
    url = f"/api/v1/jobs/{running}/preview?shard=1"
    assert client.get(url).json["code"] == "preview_not_found"

    worker.put_preview(f"{running}-1", 1, b"first")
    first = client.get(url)
    known = {"If-None-Match": first.headers["ETag"]}
    assert (first.data, first.mimetype) == (b"first", "image/png")
    assert first.headers["Cache-Control"] == "private, no-cache"
    assert client.get(url, headers=known).status_code == 304

    worker.put_preview(f"{running}-1", 2, b"second")
    assert client.get(url, headers=known).data == b"second"
    assert client.get(f"/api/v1/jobs/{running}/preview").data == b"second"
    assert client.get(f"/api/v1/jobs/{running}/preview?shard=0").status_code == 404


def test_a_preview_of_a_shard_that_is_no_number_is_422(client: FlaskClient, running: str) -> None:
    answer = client.get(f"/api/v1/jobs/{running}/preview?shard=-1")

    assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, "shard")
