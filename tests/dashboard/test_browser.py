"""The dashboard in a real Chromium: by keyboard, without script, in both schemes."""

import json

import numpy as np
import pytest
from playwright.sync_api import expect

from dashboard.figures import EXPLAINED
from jobs.contract import ArtifactRole
from jobs.messages import ReportStatus
from synthetic import synthetic_faces

pytestmark = pytest.mark.browser

NARROWEST = 320


def test_a_face_is_shown_large_and_left_by_keyboard(bench, open_page):
    job = bench.submit(count=4, columns=2, num_inference_steps=1)
    bench.finish(job)
    page = open_page(f"/jobs/{job}")
    dialog = page.locator("#zoom")

    page.get_by_role("link", name="Face 3").click()

    expect(dialog.locator("figcaption")).to_have_text("Face 3")
    expect(dialog.locator("img")).to_have_js_property("naturalWidth", 48)

    page.keyboard.press("ArrowRight")

    expect(dialog.locator("figcaption")).to_have_text("Face 0")

    page.keyboard.press("Escape")

    expect(dialog).to_be_hidden()
    expect(page.get_by_role("link", name="Face 0")).to_be_focused()


def test_everything_works_without_script(bench, open_page):
    page = open_page(f"/new?checkpoint={bench.checkpoint}", java_script_enabled=False)
    page.get_by_label("Faces").fill("4")
    page.get_by_label("Columns").fill("2")
    page.get_by_label("Name").fill("By hand")
    page.get_by_role("button", name="Submit").click()

    expect(page.get_by_role("heading", name="By hand")).to_be_visible()
    job = page.url.rpartition("/")[2]
    assert page.locator('meta[http-equiv="refresh"]').count() == 1

    bench.finish(job)
    page.reload()
    expect(page.get_by_role("link", name="Face 2")).to_be_visible()
    page.get_by_role("link", name="Face 2").click()

    assert page.url.endswith("/images/2.png")

    page.go_back()
    page.get_by_role("link", name="Submit again with changes").click()
    expect(page.get_by_label("Faces")).to_have_value("4")


def test_a_dataset_is_uploaded_and_trained_on_without_script(bench, open_page, tmp_path):
    np.save(tmp_path / "faces.npy", synthetic_faces(80, seed=4)[0])
    page = open_page("/datasets", java_script_enabled=False)
    page.get_by_label("Faces", exact=True).set_input_files(tmp_path / "faces.npy")
    page.get_by_label("Name").fill("Ours")
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_role("heading", name="Ours")).to_be_visible()

    page.get_by_role("link", name="Train a network on it").click()
    page.get_by_label("Minutes").fill("0.5")
    page.get_by_text("How to train").click()
    page.get_by_label("Batch size").fill("8")
    page.get_by_role("button", name="Submit").click()

    job = bench.service.get_job(page.url.rpartition("/")[2])
    assert (job.params["minutes"], job.params["batch_size"]) == (0.5, 8)
    assert bench.service.get_dataset(job.params["dataset"]).name == "Ours"

    bench.service.cancel(job.id)
    page.reload()
    page.get_by_role("button", name="Retry").click()

    assert bench.service.get_job(page.url.rpartition("/")[2]).retry_of == job.id


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", NARROWEST)])
def test_pages_fit_the_window_in_both_schemes(bench, open_page, screenshots, scheme, width):
    bench.worker_is_online()
    finished = bench.submit("Faces for the lecture", count=100, num_inference_steps=1000)
    bench.finish(finished)
    running = bench.submit(count=100)
    bench.report(running, 0, step=1000)
    bench.report(running, 0, ReportStatus.SUCCEEDED, step=1000)
    bench.show_preview(running, 1, step=430, version=7)
    training = bench.submit_kind("train_ddpm", steps=200)
    bench.train_on(training, 150)
    evaluation = bench.submit_kind("evaluate", checkpoint="bundled", synthetic_count=400)
    bench.report(evaluation, 0, done=1)
    figure = {"value": 1.0, "standard_error": 0.1, "floor": 0.5, "n": 100, "better": "lower"}
    figures = [figure | {"name": name} for name in EXPLAINED]
    content = json.dumps({"figures": figures}).encode()
    bench.end(evaluation, {"metrics.json": (ArtifactRole.METRICS, content, [])})
    paths = {
        "training": f"/jobs/{training}",
        "evaluation": f"/jobs/{evaluation}",
        "new training": "/new?kind=train_ddpm",
        "new evaluation": "/new?kind=evaluate",
        "datasets": "/datasets",
        "dataset": "/datasets/synthetic",
        "list": "/",
        "running": f"/jobs/{running}",
        "finished": f"/jobs/{finished}",
        "new": "/new",
        "checkpoints": "/checkpoints",
        "workers": "/workers",
    }

    for name, path in paths.items():
        page = open_page(path, color_scheme=scheme, viewport={"width": width, "height": 900})
        page.wait_for_load_state("load")
        page.screenshot(path=screenshots / f"{name}-{scheme}-{width}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (background == "rgb(18, 13, 12)") == (scheme == "dark")
        assert page.locator("img.missing").count() == 0
