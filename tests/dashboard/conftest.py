"""The dashboard over a real database, artifact store and Redis, and a real Chromium."""

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from werkzeug.serving import make_server

from darkroom.web import create_app, end_streams
from jobs.service import open_service
from jobs.settings import WebSettings
from tests.dashboard.bench import Bench

CHROMIUM_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
SHARD_IMAGES = 25
MAX_UPLOAD_BYTES = 200_000

# More than the usual 5 s, which busy computers have taken; less than the 30 s after which a page
# looks by itself, whether it was told or not.
expect.set_options(timeout=20_000)


@pytest.fixture
def settings(web_settings: WebSettings) -> WebSettings:
    return web_settings.model_copy(
        update={"shard_images": SHARD_IMAGES, "max_upload_bytes": MAX_UPLOAD_BYTES}
    )


@pytest.fixture
def app(settings: WebSettings) -> Iterator[Flask]:
    app = create_app(settings)
    yield app
    end_streams(app)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def bench(app: Flask, settings: WebSettings, tmp_path: Path) -> Iterator[Bench]:
    service = open_service(settings)
    with closing(service._database):
        yield Bench(service, settings, tmp_path)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A real Chromium without a window."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.fail("chromium is not installed: `make test` installs it")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def screenshots(tmp_path: Path) -> Path:
    """The folder that DARKROOM_SCREENSHOTS names, else one of this test's own."""
    folder = Path(os.environ.get("DARKROOM_SCREENSHOTS") or tmp_path / "screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def address(app: Flask) -> Iterator[str]:
    """The dashboard and the API, served by threads."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def open_page(browser: Browser, address: str) -> Iterator[Callable[..., Page]]:
    """Opens a path; a complaint on the console fails the test."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def open_it(path: str, **options: Any) -> Page:
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(address + path)
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert complaints == []
