"""What a training is to callers: its curves, its files, its checkpoint; and retries."""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from jobs.database import Database
from jobs.library import BUNDLED_IDS
from jobs.messages import Heartbeat
from jobs.settings import WebSettings
from jobs.workers import note_worker
from tests.api.conftest import CURVES, METRICS, WORKER


def test_a_training_counts_in_its_own_unit_and_links_its_curves(
    client: FlaskClient, train: Callable[..., str]
) -> None:
    job = client.get(f"/api/v1/jobs/{train(ends=False)}").json

    assert job["progress"] == {"done": 1, "total": 2, "unit": "steps"}
    assert job["params"]["width"] == 32
    answer = client.get(job["links"]["curves"])
    assert answer.json == {"curves": {name: [list(p) for p in CURVES[name]] for name in CURVES}}
    again = client.get(job["links"]["curves"], headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_a_job_that_does_not_train_has_no_curves(
    client: FlaskClient, submit: Callable[..., str]
) -> None:
    job = submit()

    assert "curves" not in client.get(f"/api/v1/jobs/{job}").json["links"]
    assert client.get(f"/api/v1/jobs/{job}/curves").json == {"curves": {}}
    assert client.get("/api/v1/jobs/nothing/curves").status_code == 404


def test_a_trained_checkpoint_is_known_linked_and_can_be_fetched(
    client: FlaskClient, train: Callable[..., str], native_file: Path
) -> None:
    job = train(ends=True)
    artifacts = client.get(f"/api/v1/jobs/{job}/artifacts").json["items"]
    artifact = next(each for each in artifacts if each["role"] == "checkpoint")

    checkpoint = client.get(artifact["links"]["checkpoint"]).json
    file = client.get(checkpoint["links"]["file"])

    assert (checkpoint["name"], checkpoint["job_id"]) == ("Ours", job)
    assert checkpoint["links"]["job"] == f"/api/v1/jobs/{job}"
    assert file.data == native_file.read_bytes()
    assert file.headers["ETag"] == f'"{checkpoint["sha256"]}"'
    assert file.headers["Content-Disposition"].endswith(".safetensors")
    assert "immutable" in file.headers["Cache-Control"]
    unchanged = client.get(
        checkpoint["links"]["file"], headers={"If-None-Match": file.headers["ETag"]}
    )
    assert (unchanged.status_code, unchanged.data) == (304, b"")
    part = client.get(checkpoint["links"]["file"], headers={"Range": "bytes=0-7"})
    assert (part.status_code, part.data) == (206, file.data[:8])


@pytest.mark.parametrize("bundled", sorted(BUNDLED_IDS))
def test_a_bundled_checkpoint_can_be_fetched_but_may_change(
    client: FlaskClient, bundled: str
) -> None:
    url = f"/api/v1/checkpoints/{bundled}/file"

    file = client.get(url)

    assert hashlib.sha256(file.data).hexdigest() == file.headers["ETag"].strip('"')
    unchanged = client.get(url, headers={"If-None-Match": file.headers["ETag"]})
    assert (unchanged.status_code, unchanged.data) == (304, b"")
    for answer in (file, unchanged):
        assert "no-cache" in answer.headers["Cache-Control"]
        assert "immutable" not in answer.headers["Cache-Control"]


def test_the_file_of_an_unknown_checkpoint_is_404(client: FlaskClient) -> None:
    assert client.get("/api/v1/checkpoints/nothing/file").status_code == 404


def test_a_training_is_downloaded_whole(
    client: FlaskClient, train: Callable[..., str], native_file: Path
) -> None:
    job = train(ends=True)

    answer = client.get(f"/api/v1/jobs/{job}/download")

    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        names = {name.removeprefix(f"job-{job}/") for name in archive.namelist()}
        metrics = json.loads(archive.read(f"job-{job}/metrics.json"))
        weights = archive.read(f"job-{job}/noise-predictor.safetensors")
    assert names == {"job.json", "metrics.json", "noise-predictor.safetensors"}
    assert metrics == METRICS
    assert weights == native_file.read_bytes()


def test_a_training_that_goes_on_has_nothing_to_download(
    client: FlaskClient, train: Callable[..., str]
) -> None:
    answer = client.get(f"/api/v1/jobs/{train(ends=False)}/download")

    assert (answer.status_code, answer.json["code"]) == (404, "artifact_not_found")


def test_a_worker_says_what_it_runs(
    client: FlaskClient, train: Callable[..., str], web_settings: WebSettings
) -> None:
    job = train(ends=False)
    heartbeat = Heartbeat(
        worker=WORKER, queue=WORKER, host="lab", pid=1, version="0", slots=1, running=[]
    )
    database = Database(web_settings.database_url)
    with database.write() as session:
        note_worker(session, heartbeat)
    database.close()

    (worker,) = client.get("/api/v1/workers").json["items"]

    assert worker["running"] == [f"{job}-0"]


def test_an_ended_job_is_made_anew(client: FlaskClient, train: Callable[..., str]) -> None:
    old = client.get(f"/api/v1/jobs/{train(ends=True, seed=7)}").json

    answer = client.post(old["links"]["retry"])

    assert answer.status_code == 202
    new = answer.json
    assert answer.headers["Location"] == f"/api/v1/jobs/{new['id']}"
    assert new["id"] != old["id"]
    assert (new["kind"], new["params"], new["name"]) == (old["kind"], old["params"], "Ours")
    assert (new["status"], new["retry_of"]) == ("queued", old["id"])
    assert new["links"]["retry_of"] == old["links"]["self"]
    assert "retry" not in new["links"]


def test_the_same_key_retries_once(client: FlaskClient, train: Callable[..., str]) -> None:
    url = f"/api/v1/jobs/{train(ends=True)}/retry"
    key = {"Idempotency-Key": "again"}

    first, second = (client.post(url, headers=key) for _ in range(2))
    other = client.post(f"/api/v1/jobs/{train(ends=True)}/retry", headers=key)

    assert first.json["id"] == second.json["id"]
    assert second.headers["Idempotency-Replayed"] == "true"
    assert (other.status_code, other.json["code"]) == (409, "idempotency_conflict")


def test_a_job_that_has_not_ended_is_not_retried(
    client: FlaskClient, train: Callable[..., str]
) -> None:
    answer = client.post(f"/api/v1/jobs/{train(ends=False)}/retry")

    assert (answer.status_code, answer.json["code"]) == (409, "job_active")
    assert client.post("/api/v1/jobs/nothing/retry").status_code == 404
