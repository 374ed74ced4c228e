"""Pages in a real Chromium follow what happens, without reload."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.dashboard.bench import WORKER

pytestmark = pytest.mark.browser


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


def test_workers_and_the_queue_are_shown_without_reload(bench, open_page):
    workers, waiting = open_page("/workers"), open_page("/queue")
    is_live(workers)
    is_live(waiting)
    expect(workers.get_by_text("No worker is online.")).to_be_visible()

    bench.worker_is_online()
    bench.tell_of_workers()

    row = workers.locator(f"#worker-{WORKER}")
    expect(row).to_contain_text("idle")

    job = bench.submit(count=5, num_inference_steps=50)
    bench.report(job, 0, step=10)

    expect(row.get_by_role("link", name=job)).to_be_visible()
    bench.service.pause_queue("all", "new weights", "ada")
    expect(waiting.get_by_text("was paused by ada")).to_be_visible()
    assert was_not_reloaded(workers)
    assert was_not_reloaded(waiting)


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
