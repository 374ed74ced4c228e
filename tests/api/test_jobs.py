import json
from collections.abc import Callable

import pytest
import redis
from flask.testing import FlaskClient

from darkroom.web import create_app
from jobs.settings import WebSettings
from jobs.streams import REPORTS

Submit = Callable[..., str]


def test_a_job_is_accepted_and_can_be_looked_at(client: FlaskClient, checkpoint_id: str) -> None:
    body = {
        "kind": "sample",
        "params": {"checkpoint": checkpoint_id, "count": 60, "num_inference_steps": 10},
        "name": "first light",
    }

    answer = client.post("/api/v1/jobs", json=body)

    assert answer.status_code == 202
    job = answer.json
    assert answer.headers["Location"] == f"/api/v1/jobs/{job['id']}"
    assert (job["status"], job["submitter"], job["name"]) == ("queued", "local", "first light")
    assert job["progress"] == {"done": 0, "total": 600, "unit": "image-steps"}
    assert job["waiting_reason"] == "No worker is online."
    assert 0 <= job["params"]["seed"] < 2**53
    no_worker = {"start": None, "end": None, "reason": "No worker is online."}
    assert client.get(answer.headers["Location"]).json == job | {"estimate": no_worker}
    assert client.get(job["links"]["self"]).json == job | {"estimate": no_worker}


def test_every_link_of_a_job_leads_somewhere(client: FlaskClient, submit: Submit) -> None:
    links = client.get(f"/api/v1/jobs/{submit()}").json["links"]

    for name in ("self", "shards", "artifacts"):
        assert client.get(links[name]).status_code == 200, name
    assert client.head(links["events"]).mimetype == "text/event-stream"
    assert client.post(links["cancel"]).status_code == 200


def test_a_job_reaches_the_dispatcher_as_a_hint(
    client: FlaskClient, submit: Submit, web_settings: WebSettings
) -> None:
    job_id = submit()

    with redis.Redis.from_url(web_settings.redis_url) as broker:
        entries = broker.xrange(REPORTS)
    hints = [json.loads(fields[b"data"]) for _, fields in entries]
    assert {"type": "hint", "job_id": job_id} in hints


def test_a_job_has_a_shard_for_every_25_images_and_one_that_assembles(
    client: FlaskClient, submit: Submit
) -> None:
    shards = client.get(f"/api/v1/jobs/{submit(count=60)}/shards").json["items"]

    assert [(each["kind"], each["image_count"]) for each in shards] == [
        ("sample", 25),
        ("sample", 25),
        ("sample", 10),
        ("assemble", 60),
    ]


@pytest.mark.parametrize("suffix", ["", "/shards", "/artifacts", "/preview", "/events"])
def test_an_unknown_job_is_404(client: FlaskClient, suffix: str) -> None:
    answer = client.get(f"/api/v1/jobs/nothing{suffix}")

    assert answer.status_code == 404
    assert answer.json["code"] == "job_not_found"
    assert "nothing" in answer.json["detail"]


def test_the_same_key_and_body_give_the_same_job(client: FlaskClient, checkpoint_id: str) -> None:
    body = {"kind": "sample", "params": {"checkpoint": checkpoint_id}}
    headers = {"Idempotency-Key": "6f1c"}

    first = client.post("/api/v1/jobs", json=body, headers=headers)
    again = client.post("/api/v1/jobs", json=body, headers=headers)

    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json == again.json
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert len(client.get("/api/v1/jobs").json["items"]) == 1


def test_the_same_key_with_another_body_is_a_conflict(
    client: FlaskClient, checkpoint_id: str
) -> None:
    headers = {"Idempotency-Key": "6f1c"}
    body = {"kind": "sample", "params": {"checkpoint": checkpoint_id}}
    client.post("/api/v1/jobs", json=body, headers=headers)

    answer = client.post("/api/v1/jobs", json=body | {"name": "other"}, headers=headers)

    assert answer.status_code == 409
    assert answer.json["code"] == "idempotency_conflict"


@pytest.mark.parametrize("key", ["", "k" * 256, "schlüssel"])
def test_a_key_that_is_none_is_refused(client: FlaskClient, checkpoint_id: str, key: str) -> None:
    body = {"kind": "sample", "params": {"checkpoint": checkpoint_id}}

    answer = client.post("/api/v1/jobs", json=body, headers={"Idempotency-Key": key})

    assert answer.status_code == 422
    assert answer.json["errors"][0]["field"] == "Idempotency-Key"
    assert client.get("/api/v1/jobs").json["items"] == []


def test_pages_of_jobs_follow_each_other(client: FlaskClient, submit: Submit) -> None:
    ids = [submit() for _ in range(5)]

    seen: list[str] = []
    url = "/api/v1/jobs?limit=2&status=queued"
    while url:
        page = client.get(url)
        seen += [job["id"] for job in page.json["items"]]
        link = page.headers.get("Link")
        url = link and link.removeprefix("<").removesuffix('>; rel="next"')
        assert bool(url) == (page.json["next_cursor"] is not None)

    assert seen == ids[::-1]


def test_jobs_can_be_listed_by_status(client: FlaskClient, submit: Submit) -> None:
    canceled, queued = submit(), submit()
    client.post(f"/api/v1/jobs/{canceled}/cancel")

    def ids(status: str) -> list[str]:
        return [job["id"] for job in client.get(f"/api/v1/jobs?status={status}").json["items"]]

    assert (ids("canceled"), ids("queued"), ids("failed")) == ([canceled], [queued], [])


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=x", "limit"),
        ("status=done", "status"),
        ("cursor=%00x", "cursor"),
        ("cursor=WzEsMl0", "cursor"),
        ("page=2", "page"),
    ],
)
def test_a_wrong_query_names_its_field(client: FlaskClient, query: str, field: str) -> None:
    answer = client.get(f"/api/v1/jobs?{query}")

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json["errors"]] == [field]


def test_an_unchanged_job_is_304_and_a_changed_one_is_sent(
    client: FlaskClient, submit: Submit
) -> None:
    url = f"/api/v1/jobs/{submit()}"
    queued = {"If-None-Match": client.get(url).headers["ETag"]}
    assert client.get(url, headers=queued).status_code == 304

    client.post(f"{url}/cancel")

    answer = client.get(url, headers=queued)
    assert answer.status_code == 200
    assert answer.headers["ETag"] == f'W/"{answer.json["status_seq"]}"'
    unchanged = client.get(url, headers={"If-None-Match": answer.headers["ETag"]})
    assert (unchanged.status_code, unchanged.data) == (304, b"")


def test_a_job_can_be_canceled_once(client: FlaskClient, submit: Submit) -> None:
    url = f"/api/v1/jobs/{submit()}/cancel"

    first, second = client.post(url), client.post(url)

    assert (first.status_code, first.json["status"]) == (200, "canceled")
    assert "cancel" not in first.json["links"]
    assert (second.status_code, second.json["code"]) == (409, "job_ended")
    assert "canceled" in second.json["detail"]


def test_without_keys_the_body_says_whose_job_it_is(
    client: FlaskClient, checkpoint_id: str
) -> None:
    body = {"kind": "sample", "params": {"checkpoint": checkpoint_id}, "submitter": "ada"}

    assert client.post("/api/v1/jobs", json=body).json["submitter"] == "ada"


def test_with_keys_the_key_says_whose_job_it_is(
    checkpoint_id: str, web_settings: WebSettings
) -> None:
    app = create_app(web_settings.model_copy(update={"api_keys": {"secret-a": "ada"}}))
    client = app.test_client()
    body = {"kind": "sample", "params": {"checkpoint": checkpoint_id}}
    key = {"Authorization": "Bearer secret-a"}

    own = client.post("/api/v1/jobs", json=body, headers=key)
    named = client.post("/api/v1/jobs", json=body | {"submitter": "ada"}, headers=key)
    foreign = client.post("/api/v1/jobs", json=body | {"submitter": "grace"}, headers=key)

    assert (own.json["submitter"], named.json["submitter"]) == ("ada", "ada")
    assert (foreign.status_code, foreign.json["code"]) == (403, "submitter_mismatch")


def test_workers_are_listed(client: FlaskClient) -> None:
    assert client.get("/api/v1/workers").json == {"items": [], "next_cursor": None}
