import pytest
from flask.testing import FlaskClient

from darkroom.web import create_app
from jobs.database import Database
from jobs.settings import WebSettings
from jobs.tables import Job

pytestmark = pytest.mark.both_databases

NOBODY = "redis://127.0.0.1:1/0"


def test_a_process_that_answers_is_healthy(client: FlaskClient) -> None:
    answer = client.get("/healthz")

    assert (answer.status_code, answer.json) == (200, {"status": "ok"})


def test_with_database_and_broker_it_is_ready(client: FlaskClient) -> None:
    answer = client.get("/readyz")

    ready = {"database": "ok", "broker": "ok", "artifacts": "ok", "reasons": []}
    assert (answer.status_code, answer.json) == (200, ready)


def test_without_the_broker_it_is_ready_and_takes_jobs(
    web_settings: WebSettings, checkpoint_id: str
) -> None:
    app = create_app(web_settings.model_copy(update={"redis_url": NOBODY}))
    client = app.test_client()

    ready = client.get("/readyz")
    body = {"kind": "sample", "params": {"checkpoint": checkpoint_id}}
    submitted = client.post("/api/v1/jobs", json=body)

    assert (ready.status_code, ready.json["broker"]) == (200, "unreachable")
    assert ready.json["reasons"] == ["Redis does not answer."]
    assert (submitted.status_code, submitted.json["status"]) == (202, "queued")


def test_without_a_migrated_database_it_is_not_ready(web_settings: WebSettings) -> None:
    client = create_app(web_settings).test_client()
    database = Database(web_settings.database_url)
    Job.metadata.drop_all(database.engine)
    database.close()

    answer = client.get("/readyz")

    assert (answer.status_code, answer.json["database"]) == (503, "not_ready")
