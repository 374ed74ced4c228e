"""The artifact store over HTTP, as a request of a worker meets it."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from darkroom.web import create_app, end_streams
from jobs.digests import digest_header
from jobs.settings import WebSettings

STORE = "/api/v1/store"
WORKER = {"Authorization": "Bearer worker-secret"}
USER = {"Authorization": "Bearer user-secret"}
FILE = "jobs/j/j-0/1-w/images.npy"


@pytest.fixture
def settings(web_settings: WebSettings) -> WebSettings:
    return web_settings.model_copy(
        update={
            "api_keys": {"user-secret": "ada"},
            "worker_keys": {"worker-secret": "lab-b"},
            "max_stored_bytes": 3_000_000,
        }
    )


@pytest.fixture
def client(settings: WebSettings) -> Iterator[FlaskClient]:
    app = create_app(settings)
    yield app.test_client()
    end_streams(app)


def put(client: FlaskClient, path: str, content: bytes, **given: Any) -> TestResponse:
    digest = {"Content-Digest": digest_header(hashlib.sha256(content).digest())}
    headers = WORKER | digest | given.pop("headers", {})
    return client.put(f"{STORE}/{path}", data=content, headers=headers, **given)


def test_a_file_is_put_read_listed_and_deleted(client: FlaskClient) -> None:
    content = bytes(range(256)) * 9_000  # more than one part
    answer = put(client, FILE, content)

    assert (answer.status_code, answer.json) == (
        200,
        {"path": FILE, "size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()},
    )
    read = client.get(f"{STORE}/{FILE}", headers=WORKER, buffered=True)
    assert (read.status_code, read.data) == (200, content)
    assert read.headers["Content-Length"] == str(len(content))
    assert read.headers["Content-Digest"] == digest_header(hashlib.sha256(content).digest())
    assert client.head(f"{STORE}/{FILE}", headers=WORKER, buffered=True).status_code == 200
    listed = client.get(STORE, query_string={"folder": "jobs/j/j-0/1-w"}, headers=WORKER)
    assert listed.json == {"items": ["images.npy"], "next_cursor": None}

    assert client.delete(f"{STORE}/{FILE}", headers=WORKER, buffered=True).status_code == 200

    assert client.delete(f"{STORE}/{FILE}", headers=WORKER, buffered=True).status_code == 200
    assert client.head(f"{STORE}/{FILE}", headers=WORKER, buffered=True).status_code == 404
    gone = client.get(f"{STORE}/{FILE}", headers=WORKER, buffered=True)
    assert (gone.status_code, gone.json["code"]) == (404, "artifact_file_not_found")


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
@pytest.mark.parametrize("headers", [{}, USER, {"Authorization": "Bearer worker-secret2"}])
def test_only_a_worker_key_opens_the_store(
    client: FlaskClient, settings: WebSettings, method: str, headers: dict[str, str]
) -> None:
    assert put(client, FILE, b"content").status_code == 200

    for path in (f"{STORE}/{FILE}", f"{STORE}?folder=jobs/j"):
        answer = client.open(path, method=method, headers=headers, data=b"other")
        assert answer.status_code == 401, (path, answer.text)
        if method != "HEAD":
            assert answer.json["code"] == "worker_key_required"
            assert "secret" not in answer.text
    assert (Path(settings.artifacts_url) / FILE).read_bytes() == b"content"


def test_a_worker_key_opens_nothing_else(client: FlaskClient) -> None:
    for path in ("/api/v1/jobs", "/api/v1/workers", "/api/v1/storefront", "/api/v1/checkpoints"):
        answer = client.get(path, headers=WORKER)
        assert (answer.status_code, answer.json["code"]) == (401, "api_key_required")
    assert client.post("/login", data={"key": "worker-secret"}).status_code == 403


def test_without_worker_keys_the_store_is_closed(web_settings: WebSettings) -> None:
    app = create_app(web_settings)
    for headers in ({}, WORKER, {"Authorization": "Bearer "}):
        answer = app.test_client().get(f"{STORE}/{FILE}", headers=headers)
        assert answer.status_code == 401
        assert "DARKROOM_WORKER_KEYS" in answer.json["detail"]
    end_streams(app)


@pytest.mark.parametrize(
    "path",
    [
        "jobs/../checkpoints/x",
        "jobs/%2e%2e/%2e%2e/etc/passwd",
        "jobs/j/j-0/1-w/..",
        "jobs/j/./1-w/file",
        "%2Fetc/passwd",
        "jobs/j/j-0/1-w/a%00b",
        "jobs/j/j-0/1-w/a%5Cb",
        "jobs/j/j-0/1-w/ä",
        "jobs",
        "darkroom.sqlite",
        "elsewhere/file",
        "reports/x/y/z/w",
    ],
)
def test_no_path_leads_out_of_what_workers_may_see(client: FlaskClient, path: str) -> None:
    for method in ("GET", "PUT", "DELETE"):
        answer = client.open(f"{STORE}/{path}", method=method, headers=WORKER, data=b"x")
        # Werkzeug sends doubled slashes and dots elsewhere before anything looks at them.
        assert answer.status_code in (308, 403, 404), (method, path, answer.text)
        assert answer.status_code != 404 or answer.json["code"] == "not_found"


@pytest.mark.parametrize(
    "path",
    ["checkpoints/x.safetensors", "datasets/d/faces.npy", "uploads/u.png", "jobs/j/j-0/file"],
)
def test_workers_change_only_files_of_attempts(
    client: FlaskClient, settings: WebSettings, path: str
) -> None:
    file = Path(settings.artifacts_url) / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"kept")

    for answer in (put(client, path, b"x"), client.delete(f"{STORE}/{path}", headers=WORKER)):
        assert (answer.status_code, answer.json["code"]) == (403, "artifact_path")

    assert client.get(f"{STORE}/{path}", headers=WORKER, buffered=True).data == b"kept"


@pytest.mark.parametrize("digest", ["sha-256=:AAAA:", "", digest_header(b"0" * 32)])
def test_a_body_that_is_not_what_it_says_is_not_published(
    client: FlaskClient, settings: WebSettings, digest: str
) -> None:
    assert put(client, FILE, b"before").status_code == 200

    answer = put(client, FILE, b"content", headers={"Content-Digest": digest})

    assert (answer.status_code, answer.json["code"]) == (422, "artifact_file_changed")
    folder = (Path(settings.artifacts_url) / FILE).parent
    assert [(path.name, path.read_bytes()) for path in folder.iterdir()] == [
        ("images.npy", b"before")
    ]


def test_a_file_over_the_limit_is_refused_and_leaves_nothing(
    client: FlaskClient, settings: WebSettings
) -> None:
    answer = put(client, FILE, bytes(3_000_001))

    assert (answer.status_code, answer.json["code"]) == (413, "upload_too_large")
    assert answer.json["details"] == {"max_upload_bytes": 3_000_000}
    assert list((Path(settings.artifacts_url) / FILE).parent.glob("*")) == []
    assert put(client, FILE, bytes(3_000_000)).status_code == 200


def test_a_store_that_takes_nothing_says_so(client: FlaskClient, settings: WebSettings) -> None:
    folder = Path(settings.artifacts_url)
    folder.mkdir(exist_ok=True)
    (folder / "jobs").write_text("a file where a folder must be")

    answer = put(client, FILE, b"content")

    assert (answer.status_code, answer.json["code"]) == (503, "artifact_store_error")
