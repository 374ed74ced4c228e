"""From an uploaded checkpoint to a collage in a real Chromium, all programs running."""

import os
import queue
import re
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
from playwright.sync_api import expect

from formats.architectures import unet_shapes
from formats.checkpoint import write_checkpoint
from formats.description import CheckpointDescription

pytestmark = pytest.mark.browser

START_SECONDS = 120
WIDTH = 8


@pytest.fixture
def stack(tmp_path):
    """The address of everything that `darkroom up` runs."""
    settings = {"DARKROOM_PREVIEW_SECONDS": "0.2", "DARKROOM_THREADS": "1"}
    options = ["--port", "0", "--data-dir", str(tmp_path / "data"), "--workers", "1"]
    log = (tmp_path / "up.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "darkroom", "up", *options],
        env=os.environ | settings,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=log,
    )
    addresses: queue.Queue[str] = queue.Queue()

    def read() -> None:
        for line in process.stdout:
            found = re.match(rb"ready (http://\S+)", line)
            if found:
                addresses.put(found[1].decode())

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield addresses.get(timeout=START_SECONDS)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)
        reader.join()
        process.stdout.close()
        log.close()


@pytest.fixture
def checkpoint(tmp_path):
    """A file with a network that was never trained, but is small."""
    random = np.random.default_rng(3)
    weights = {
        name: (0.05 * random.standard_normal(shape)).astype(np.float32)
        for name, shape in unet_shapes(WIDTH).items()
    }
    path = tmp_path / "untrained.safetensors"
    write_checkpoint(path, weights, CheckpointDescription("unet", WIDTH))
    return path


def test_a_visitor_uploads_submits_watches_and_downloads(
    stack, checkpoint, browser, screenshots, tmp_path
):
    with browser.new_context(accept_downloads=True, color_scheme="dark") as context:
        page = context.new_page()
        page.goto(f"{stack}/checkpoints")
        page.get_by_label("File").set_input_files(checkpoint)
        page.get_by_role("button", name="Upload").click()
        page.get_by_role("link", name="Sample with untrained").click()
        page.get_by_label("Faces").fill("30")
        page.get_by_label("Columns").fill("6")
        page.get_by_label("Denoising steps").fill("400")  # it is looked at while it runs
        page.get_by_role("button", name="Submit").click()
        page.evaluate("window.isTheSamePage = true")

        preview = page.locator("img[data-preview]")
        expect(preview).to_be_visible(timeout=60_000)
        expect(preview).to_have_js_property("naturalWidth", 480)
        page.screenshot(path=screenshots / "whole-stack-running.png", full_page=True)
        expect(page.locator("svg.sheet a")).to_have_count(30, timeout=150_000)
        page.screenshot(path=screenshots / "whole-stack-finished.png", full_page=True)

        assert page.evaluate("window.isTheSamePage")
        with page.expect_download() as collage:
            page.get_by_role("link", name="Collage").click()
        assert collage.value.path().read_bytes().startswith(b"\x89PNG")
        with page.expect_download() as everything:
            page.get_by_role("link", name="Everything").click()
        assert everything.value.path().read_bytes().startswith(b"PK")
