"""The queue over HTTP: priorities, pauses, drains."""

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from jobs.database import Database
from jobs.messages import Heartbeat
from jobs.settings import WebSettings
from jobs.workers import note_worker

ROOT = "/api/v1"
Submit = Callable[..., str]


def test_a_job_gets_another_priority_and_name(client: FlaskClient, submit: Submit) -> None:
    job = submit()
    changed = client.patch(f"{ROOT}/jobs/{job}", json={"priority": 7, "name": "first"})
    assert changed.status_code == 200
    assert (changed.json["priority"], changed.json["name"]) == (7, "first")
    assert changed.json["status_seq"] == 2
    kept = client.patch(f"{ROOT}/jobs/{job}", json={"name": None})
    assert (kept.json["priority"], kept.json["name"]) == (7, None)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"priority": 101}, "priority"),
        ({"priority": -101}, "priority"),
        ({"priority": "5"}, "priority"),
        ({"priority": None}, "priority"),
        ({"name": "x" * 201}, "name"),
        ({"submitter": "bob"}, "submitter"),
        ({}, "priority"),
    ],
)
def test_what_cannot_be_changed_is_422(
    client: FlaskClient, submit: Submit, change: dict[str, Any], field: str
) -> None:
    answer = client.patch(f"{ROOT}/jobs/{submit()}", json=change)
    assert (answer.status_code, answer.json["code"]) == (422, "validation_error")
    assert answer.json["errors"][0]["field"] == field


def test_an_ended_job_is_not_changed(client: FlaskClient, submit: Submit) -> None:
    job = submit()
    client.post(f"{ROOT}/jobs/{job}/cancel")
    answer = client.patch(f"{ROOT}/jobs/{job}", json={"priority": 1})
    assert (answer.status_code, answer.json["code"]) == (409, "job_ended")
    assert client.patch(f"{ROOT}/jobs/none", json={"priority": 1}).status_code == 404


def test_a_pause_is_there_until_it_is_ended(client: FlaskClient) -> None:
    answer = client.put(f"{ROOT}/queue/pauses/sample", json={"reason": "new weights"})
    assert answer.status_code == 200
    pause = {key: answer.json[key] for key in ("scope", "reason", "paused_by")}
    assert pause == {"scope": "sample", "reason": "new weights", "paused_by": "local"}
    again = client.put(f"{ROOT}/queue/pauses/sample", json={"reason": "newer weights"})
    assert again.json["paused_at"] == answer.json["paused_at"]
    assert [each["reason"] for each in client.get(f"{ROOT}/queue").json["pauses"]] == [
        "newer weights"
    ]

    assert client.delete(f"{ROOT}/queue/pauses/sample").json["pauses"] == []
    gone = client.delete(f"{ROOT}/queue/pauses/sample")
    assert (gone.status_code, gone.json["code"]) == (404, "pause_not_found")


def test_a_pause_needs_a_kind_and_a_reason(client: FlaskClient) -> None:
    unknown = client.put(f"{ROOT}/queue/pauses/prints", json={"reason": "x"})
    assert (unknown.status_code, unknown.json["errors"][0]["field"]) == (422, "scope")
    silent = client.put(f"{ROOT}/queue/pauses/all", json={"reason": ""})
    assert (silent.status_code, silent.json["errors"][0]["field"]) == (422, "reason")


def test_a_drained_worker_says_so_until_it_is_undone(
    client: FlaskClient, web_settings: WebSettings
) -> None:
    database = Database(web_settings.database_url)
    beat = Heartbeat(worker="w", queue="w", host="", pid=1, version="", slots=1, running=[])
    with database.write() as session:
        note_worker(session, beat)
    drained = client.put(f"{ROOT}/workers/w/drain")
    assert (drained.json["slots"], drained.json["drained_by"]) == (0, "local")
    with database.write() as session:
        note_worker(session, beat)  # it has not heard of it yet
    assert (
        client.get(f"{ROOT}/workers").json["items"][0]["drained_at"] == (drained.json["drained_at"])
    )
    back = client.delete(f"{ROOT}/workers/w/drain")
    assert (back.json["slots"], back.json["drained_at"]) == (1, None)
    missing = client.put(f"{ROOT}/workers/none/drain")
    assert (missing.status_code, missing.json["code"]) == (404, "worker_not_found")
    database.close()
