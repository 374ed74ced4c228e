import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from flask.testing import FlaskClient

from darkroom.web import create_app
from jobs.settings import WebSettings

Serve = Callable[[WebSettings], Any]


@pytest.fixture
def client(web_settings: WebSettings) -> FlaskClient:
    return create_app(web_settings).test_client()


def test_pages_and_api_are_one_application(client: FlaskClient) -> None:
    assert client.get("/").mimetype == "text/html"
    assert client.get("/api/v1/jobs").mimetype == "application/json"


def test_an_unknown_page_is_a_page_and_an_unknown_route_a_problem(client: FlaskClient) -> None:
    page, problem = client.get("/nowhere"), client.get("/api/v1/nowhere")

    assert (page.status_code, page.mimetype) == (404, "text/html")
    assert (problem.status_code, problem.mimetype) == (404, "application/problem+json")


@pytest.mark.parametrize("path", ["/", "/nowhere", "/api/v1/jobs", "/healthz"])
def test_no_answer_is_guessed_at(client: FlaskClient, path: str) -> None:
    assert client.get(path).headers["X-Content-Type-Options"] == "nosniff"


def test_an_open_page_per_thread_and_the_next_request_are_served(
    web_settings: WebSettings, serve_web: Serve
) -> None:
    url = serve_web(web_settings.model_copy(update={"web_threads": 64})).url

    with httpx.Client(base_url=url, timeout=60) as http, ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda _: http.get("/api/v1/jobs").status_code, range(200)))

    assert answers == [200] * 200


def test_a_form_that_a_long_link_fills_is_shown(
    web_settings: WebSettings, serve_web: Serve
) -> None:
    made = [f"job:{number:016x}/{9999 - number}" for number in range(200)]
    pairs = zip(made[::2], made[1::2], strict=True)
    faces = ", ".join(f"{first}-{second}" for first, second in pairs)
    link = httpx.URL(f"{serve_web(web_settings).url}/new", params={"kind": "merge", "faces": faces})

    answer = httpx.get(link, timeout=60)

    assert answer.status_code == 200
    assert "job:00000000000000c7/9800" in answer.text


def test_port_0_is_told_in_the_log(web_settings: WebSettings, tmp_path: Path) -> None:
    given = web_settings.model_dump(mode="json", exclude={"api_keys", "allowed_hosts"})
    environment = {f"DARKROOM_{name.upper()}": str(value) for name, value in given.items()}
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "darkroom", "web", "--port", "0"],
            env=os.environ | environment,
            stderr=output,
        )
    try:
        found = None
        deadline = time.monotonic() + 60
        while found is None:
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
            found = re.search(r"http://127\.0\.0\.1:(\d+)", log.read_text())
        assert httpx.get(f"{found[0]}/healthz", timeout=60).status_code == 200
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def test_the_process_that_forks_has_one_thread(web_settings: WebSettings, serve_web: Serve) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # what looks at Redis waits for it
        redis_url = f"rediss://127.0.0.1:{silent.getsockname()[1]}/0"
        server = serve_web(web_settings.model_copy(update={"redis_url": redis_url}))
        answer = httpx.get(f"{server.url}/healthz", timeout=60)
        forking = psutil.Process(server.process.pid)
        (serving,) = forking.children()

        assert answer.status_code == 200
        assert forking.num_threads() == 1
        assert serving.num_threads() > 1


def test_it_refuses_to_start_where_strangers_could_come_in(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "darkroom", "web", "--host", "0.0.0.0", "--port", "0"],
        env=os.environ | {"DARKROOM_API_KEYS": "{}"},
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert ended.returncode == 1
    assert "set DARKROOM_API_KEYS" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_upload_over_the_limit_is_answered_over_a_real_connection(
    web_settings: WebSettings, serve_web: Serve
) -> None:
    small = web_settings.model_copy(update={"max_upload_bytes": 4096})
    url = f"{serve_web(small).url}/api/v1/checkpoints"
    headers = {"Content-Type": "application/octet-stream"}
    pieces = [b"\x00" * 1000] * 2000

    whole = httpx.post(url, content=b"".join(pieces), headers=headers, timeout=60)
    chunked = httpx.post(url, content=iter(pieces), headers=headers, timeout=60)

    for answer in (whole, chunked):
        assert (answer.status_code, answer.json()["code"]) == (413, "upload_too_large")


def test_a_body_that_breaks_off_is_not_kept(web_settings: WebSettings, serve_web: Serve) -> None:
    server = serve_web(web_settings)
    body = json.dumps({"kind": "sample"})

    def half() -> Any:
        yield body[:5].encode()
        raise ConnectionError

    with pytest.raises(ConnectionError):
        httpx.post(
            f"{server.url}/api/v1/jobs",
            content=half(),
            headers={"Content-Type": "application/json", "Content-Length": str(len(body))},
            timeout=60,
        )

    assert httpx.get(f"{server.url}/api/v1/jobs", timeout=60).json()["items"] == []
    assert server.stop() == 0
    assert "Traceback" not in server.log
