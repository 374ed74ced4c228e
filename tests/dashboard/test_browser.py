"""The dashboard in a real Chromium: live without reload, whole without script."""

import json
import re
import threading

import numpy as np
import pytest
from playwright.sync_api import Page, expect
from werkzeug.serving import make_server

from dashboard.figures import EXPLAINED
from jobs.contract import ArtifactRole
from jobs.messages import ReportStatus
from synthetic import synthetic_faces

pytestmark = pytest.mark.browser

NARROWEST = 320


@pytest.fixture
def address(app):
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
def open_page(browser, address):
    """Opens a path; a complaint on the console fails the test."""
    contexts, complaints = [], []

    def open_it(path: str, **options) -> Page:
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


def is_live(page: Page) -> None:
    """Wait until the page hears events, and mark it, so that a reload would show."""
    expect(page.locator("#connection")).to_have_text("Live")
    page.evaluate("window.isTheSamePage = true")


def was_not_reloaded(page: Page) -> bool:
    return bool(page.evaluate("window.isTheSamePage"))


def test_a_job_page_follows_its_job_to_the_end_without_reload(bench, open_page):
    job = bench.submit(count=30, columns=6, num_inference_steps=50)
    page = open_page(f"/jobs/{job}")
    is_live(page)
    expect(page.locator("h1 + p .status")).to_have_text("queued")

    bench.show_preview(job, 0, step=10, version=1)

    expect(page.locator("h1 + p .status")).to_have_text("running")
    expect(page.locator("[data-percent]")).to_have_text("16")
    expect(page.locator("#milestones")).to_have_text("30 faces: running")
    expect(page).to_have_title("16 % · 30 faces \N{EN DASH} Darkroom")

    bench.show_preview(job, 0, step=20, version=2)

    expect(page.locator("[data-percent]")).to_have_text("33")
    expect(page.locator("[data-bar]")).to_have_js_property("value", 500)
    expect(page.locator("[data-done]")).to_have_text("500")
    expect(page.locator("#milestones")).to_have_text("30 faces: 25 percent")
    preview = page.locator("#preview-0 img")
    expect(preview).to_have_attribute("src", f"/jobs/{job}/previews/0.png?version=2")
    expect(preview).to_have_js_property("naturalWidth", 480)

    bench.finish(job)

    expect(page.locator("h1 + p .status")).to_have_text("succeeded")
    expect(page.locator("svg.sheet a")).to_have_count(30)
    expect(page.locator("#milestones")).to_have_text("30 faces: succeeded")
    expect(page).to_have_title("succeeded · 30 faces \N{EN DASH} Darkroom")
    expect(page.locator("#connection")).to_be_hidden()
    assert was_not_reloaded(page)


def test_the_list_shows_new_jobs_and_their_progress_without_reload(bench, open_page):
    page = open_page("/")
    is_live(page)

    job = bench.submit("Late comer", count=5, num_inference_steps=50)
    bench.report(job, 0, step=10)

    row = page.locator(f"#job-{job}")
    expect(row).to_contain_text("Late comer")
    expect(row.locator("[data-percent]")).to_have_text("20")

    bench.report(job, 0, step=40)

    expect(row.locator("[data-percent]")).to_have_text("80")
    expect(row.locator("[data-bar]")).to_have_js_property("value", 200)

    bench.finish(job)

    expect(row.locator(".status")).to_have_text("succeeded")
    expect(row.locator("img")).to_have_js_property("naturalWidth", 480)
    expect(page.locator("#milestones")).to_have_text("Late comer: succeeded")
    assert was_not_reloaded(page)


def test_a_refresh_keeps_what_the_visitor_opened_and_focused(bench, open_page):
    job = bench.submit(count=30, num_inference_steps=50)
    page = open_page(f"/jobs/{job}")
    is_live(page)
    page.get_by_text("Cancel…").click()
    page.get_by_role("button", name="Cancel this job").focus()

    bench.report(job, 0, step=10)

    expect(page.locator("#shard-0 .status")).to_have_text("running")
    button = page.get_by_role("button", name="Cancel this job")
    expect(button).to_be_focused()

    button.press("Enter")

    expect(page.locator("h1 + p .status")).to_have_text("canceled")
    assert bench.service.get_job(job).status == "canceled"


def test_an_open_page_learns_the_end_within_30_seconds_though_events_are_away(
    bench, open_page, redis_server
):
    job = bench.submit(count=5)
    page = open_page(f"/jobs/{job}")
    is_live(page)
    page.clock.install()
    redis_server.kill()
    bench.service.cancel(job)

    page.clock.fast_forward(31_000)

    expect(page.locator("h1 + p .status")).to_have_text("canceled")
    assert was_not_reloaded(page)


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


def test_a_training_s_curve_and_faces_move_on_without_reload(bench, open_page):
    job = bench.submit_kind("train_ddpm", "Ours", steps=200, width=8)
    page = open_page(f"/jobs/{job}")
    is_live(page)

    bench.train_on(job, 20, version=1)

    expect(page.locator("#chart polyline")).to_have_count(2)
    picture = page.locator("#preview-0 img")
    expect(picture).to_have_js_property("naturalWidth", 480)
    before = page.locator("#chart polyline").first.get_attribute("points")

    bench.train_on(job, 150, version=2)

    expect(page.locator("[data-percent]")).to_have_text("75")
    expect(page.locator("[data-done]")).to_have_text("150")
    expect(picture).to_have_attribute("src", f"/jobs/{job}/previews/0.png?version=2")
    expect(page.locator("#chart polyline").first).not_to_have_attribute("points", before)
    chart = page.get_by_role("img", name="Loss over training steps")
    expect(chart).to_have_accessible_description(re.compile("after step 150"))
    assert was_not_reloaded(page)


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
