"""Deleting jobs, and what people brought: with all files, and never what something needs."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from formats.pictures import encode_png
from jobs.database import Database
from jobs.settings import WebSettings
from jobs.tables import Artifact, Shard

pytestmark = pytest.mark.both_databases

API = "/api/v1"
FACE = np.random.default_rng(5).integers(0, 256, (48, 48), np.uint8)


def files(settings: WebSettings, folder: str) -> list[Path]:
    return [each for each in (Path(settings.artifacts_url) / folder).rglob("*") if each.is_file()]


def refused(answer: Any) -> list[str]:
    """Ids of what still needs it."""
    assert (answer.status_code, answer.json["code"]) == (409, "still_referenced"), answer.text
    return [each["id"] for each in answer.json["details"]["references"]]


def delete(client: FlaskClient, what: str) -> Any:
    answer = client.delete(f"{API}/{what}")
    assert answer.status_code == 200, answer.text
    return answer.json


def upload(client: FlaskClient) -> str:
    answer = client.post(f"{API}/uploads", data=encode_png(FACE), content_type="image/png")
    assert answer.status_code == 201
    return str(answer.json["id"])


def test_a_job_is_deleted_with_its_rows_and_files(
    client, submit, finish, faces, web_settings
) -> None:
    job, other = submit(count=12), submit(count=12)
    for each in (job, other):
        finish(each, faces)
    kept = files(web_settings, f"jobs/{other}")
    assert files(web_settings, f"jobs/{job}")

    deleted = delete(client, f"jobs/{job}")

    assert deleted == {"type": "job", "id": job, "checkpoints": [], "files_left": False}
    assert not (Path(web_settings.artifacts_url) / "jobs" / job).exists()
    assert client.get(f"{API}/jobs/{job}").status_code == 404
    assert client.delete(f"{API}/jobs/{job}").json["code"] == "job_not_found"
    assert [each["id"] for each in client.get(f"{API}/jobs").json["items"]] == [other]
    assert files(web_settings, f"jobs/{other}") == kept
    database = Database(web_settings.database_url)
    with database.read() as session:
        for table in (Shard, Artifact):
            assert set(session.scalars(select(table.job_id))) == {other}
    database.close()


def test_a_job_that_has_not_ended_is_canceled_first(client, submit) -> None:
    job = submit()

    answer = client.delete(f"{API}/jobs/{job}")
    assert (answer.status_code, answer.json["code"]) == (409, "job_active")
    assert "cancel it first" in answer.json["detail"]

    client.post(f"{API}/jobs/{job}/cancel")
    delete(client, f"jobs/{job}")


def test_a_job_that_another_came_after_is_kept_until_that_one_is_gone(
    client, submit, finish, faces
) -> None:
    parent = submit(count=12)
    finish(parent, faces)
    body = {"kind": "report", "params": {"jobs": [parent]}}
    child = client.post(f"{API}/jobs", json=body).json["id"]
    client.post(f"{API}/jobs/{child}/cancel")

    answer = client.delete(f"{API}/jobs/{parent}")
    assert refused(answer) == [child]
    assert f"job {child} (report)" in answer.json["detail"]
    assert b"Delete this job" not in client.get(f"/jobs/{parent}").data
    assert b"Delete this job" in client.get(f"/jobs/{child}").data
    page = client.post(f"/jobs/{parent}/delete")
    assert (page.status_code, page.mimetype) == (409, "text/html")

    assert client.post(f"/jobs/{child}/delete").status_code == 303
    delete(client, f"jobs/{parent}")


def test_a_trained_checkpoint_goes_with_its_job_unless_it_is_used(
    client, train, web_settings
) -> None:
    job = train(ends=True)
    (made,) = [c for c in client.get(f"{API}/checkpoints").json["items"] if c["job_id"] == job]
    body = {"kind": "sample", "params": {"checkpoint": made["id"], "count": 1}}
    user = client.post(f"{API}/jobs", json=body).json["id"]
    client.post(f"{API}/jobs/{user}/cancel")

    assert refused(client.delete(f"{API}/jobs/{job}")) == [user]
    assert refused(client.delete(f"{API}/checkpoints/{made['id']}")) == [job, user]

    delete(client, f"jobs/{user}")
    assert delete(client, f"jobs/{job}")["checkpoints"] == [made["id"]]
    assert client.get(f"{API}/checkpoints/{made['id']}").status_code == 404
    assert files(web_settings, "jobs") == []


def test_weights_that_another_job_has_made_too_stay_that_ones(client, train) -> None:
    first, second = train(ends=True), train(ends=True)
    (made,) = [c for c in client.get(f"{API}/checkpoints").json["items"] if c["job_id"]]
    before = client.get(f"{API}/checkpoints/{made['id']}/file").data
    assert made["job_id"] == first

    assert delete(client, f"jobs/{first}")["checkpoints"] == []

    now = client.get(f"{API}/checkpoints/{made['id']}").json
    assert now["job_id"] == second
    assert client.get(f"{API}/checkpoints/{made['id']}/file").data == before
    assert client.get(f"/jobs/{second}").status_code == 200


def test_what_people_brought_is_deleted_when_no_job_names_it(
    client, submit, checkpoint_id, web_settings
) -> None:
    content = io.BytesIO()
    faces = np.random.default_rng(1).integers(0, 256, (100, 48, 48), np.uint8)
    np.save(content, faces)
    content.seek(0)
    dataset = client.post(
        f"{API}/datasets",
        data={"faces": (content, "faces.npy")},
        content_type="multipart/form-data",
    ).json["id"]
    mask = upload(client)
    merge = {
        "checkpoint": checkpoint_id,
        "dataset": dataset,
        "mask": "upload",
        "mask_upload": mask,
        "pairs": 1,
    }
    answer = client.post(f"{API}/jobs", json={"kind": "merge", "params": merge})
    assert answer.status_code == 202, answer.text
    job = answer.json["id"]
    client.post(f"{API}/jobs/{job}/cancel")
    brought = [f"checkpoints/{checkpoint_id}", f"datasets/{dataset}", f"uploads/{mask}"]

    for each in brought:
        assert refused(client.delete(f"{API}/{each}")) == [job]
    delete(client, f"jobs/{job}")
    for each in brought:
        assert delete(client, each)["files_left"] is False
        assert client.delete(f"{API}/{each}").status_code == 404
    assert files(web_settings, "datasets") == files(web_settings, "uploads") == []


def test_what_comes_with_darkroom_is_kept(client) -> None:
    for each in client.get(f"{API}/checkpoints").json["items"]:
        assert refused(client.delete(f"{API}/checkpoints/{each['id']}")) == [each["id"]]
    assert client.delete(f"{API}/datasets/synthetic").status_code == 404


def test_a_chain_of_retries_stays_one(client, submit) -> None:
    chain = [submit()]
    for _ in range(2):
        client.post(f"{API}/jobs/{chain[-1]}/cancel")
        chain.append(client.post(f"{API}/jobs/{chain[-1]}/retry").json["id"])

    delete(client, f"jobs/{chain[1]}")

    assert client.get(f"{API}/jobs/{chain[2]}").json["retry_of"] == chain[0]
