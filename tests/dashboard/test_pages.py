"""The pages that show jobs, without script."""

import html
import re

import pytest

from dashboard.headers import HEADERS
from dashboard.pages import Pages
from jobs.contract import ErrorInfo, JobStatus
from jobs.messages import PROTOCOL, ReportStatus, Stranger
from jobs.workers import note_worker


def text_of(response):
    """What a reader sees."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", response.text)))


def test_an_empty_list_offers_the_first_job(client):
    page = client.get("/")

    assert page.status_code == 200
    assert "Nothing has been developed yet" in page.text
    assert 'href="/new"' in page.text


def test_a_queued_job_says_why_it_waits_and_who_submitted_it(client, bench):
    job = bench.submit("For the lecture", submitter="grace", count=30, num_inference_steps=50)

    page = client.get(f"/jobs/{job}")

    seen = text_of(page)
    assert "For the lecture" in seen
    assert "queued 30 faces · DDPM · 50 steps · by grace" in seen
    assert "No worker is online." in seen
    assert "0 of 1,500 image-steps" in seen
    assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in page.text


def test_a_seed_keeps_all_its_digits(client, bench):
    job = bench.submit(seed=2**64 - 1)

    page = client.get(f"/jobs/{job}")

    assert "<code>18446744073709551615</code>" in page.text
    assert "seed=18446744073709551615" in page.text


def test_a_running_job_shows_previews_and_its_shards(client, bench):
    bench.worker_is_online()
    job = bench.submit(count=30, num_inference_steps=50)
    bench.show_preview(job, 0, step=20, version=3)

    page, listed = client.get(f"/jobs/{job}"), client.get("/")

    preview = f"/jobs/{job}/previews/0.png?version=3"
    assert preview in page.text
    assert preview in listed.text
    assert "33 %" in text_of(page)
    assert "Shard 0 · step 20 of 50" in text_of(page)
    assert "0 faces 0\N{EN DASH}24 running 40 % 40 % gpu-box-1 1 0" in text_of(page)
    assert "1 faces 25\N{EN DASH}29 queued" in text_of(page)
    assert f'data-events="/api/v1/jobs/{job}/events"' in page.text
    png = client.get(preview)
    assert (png.status_code, png.mimetype) == (200, "image/png")
    assert client.get(preview, headers={"If-None-Match": png.headers["ETag"]}).status_code == 304


def test_a_finished_job_offers_its_collage_and_every_face(client, bench):
    job = bench.submit(count=30, columns=6, num_inference_steps=5)
    bench.finish(job)
    collage, images = bench.service.list_artifacts(job)[:2]

    page = client.get(f"/jobs/{job}")

    assert 'viewBox="0 0 288 240"' in page.text
    assert f'href="/api/v1/artifacts/{collage.id}" download' in page.text
    assert f'href="/api/v1/artifacts/{images.id}" download' in page.text
    assert f'href="/api/v1/jobs/{job}/download"' in page.text
    faces = re.findall(rf'href="(/api/v1/artifacts/{images.id}/images/\d+\.png)"', page.text)
    assert len(faces) == 30
    assert client.get(faces[29]).mimetype == "image/png"
    assert "http-equiv" not in page.text
    assert "data-events" not in page.text
    assert f'src="/api/v1/artifacts/{collage.id}"' in client.get("/").text


def test_a_large_collage_is_shown_in_parts(client, bench):
    job = bench.submit(count=450, columns=30, num_inference_steps=1)
    bench.finish(job)

    first, last = client.get(f"/jobs/{job}"), client.get(f"/jobs/{job}?faces=3")

    assert "part 1 of 3" in first.text
    assert 'viewBox="0 0 1440 288"' in first.text
    assert 'aria-label="Face 179"' in first.text
    assert 'aria-label="Face 180"' not in first.text
    assert 'viewBox="0 576 1440 144"' in last.text
    assert 'aria-label="Face 449"' in last.text
    assert "part 3 of 3" in client.get(f"/jobs/{job}?faces=99999").text
    assert "part 1 of 3" in client.get(f"/jobs/{job}?faces=-4").text


def test_a_failed_job_says_why_and_keeps_what_was_finished(client, bench):
    job = bench.submit(count=50, num_inference_steps=50)
    bench.report(job, 0)
    bench.report(job, 0, ReportStatus.SUCCEEDED)
    killed = ErrorInfo(
        code="engine_died",
        message="the engine was killed by SIGKILL",
        details={"signal": "SIGKILL", "memory_bytes": 3_200_000_000, "log": ["<b>one</b>", "two"]},
    )
    for _ in range(3):
        bench.report(job, 1, step=3)
        bench.report(job, 1, ReportStatus.LOST, step=3, error=killed)

    page = client.get(f"/jobs/{job}")

    seen = text_of(page)
    assert "Why it failed the engine was killed by SIGKILL engine_died" in seen
    assert "memory 3.2 GB" in seen
    assert "&lt;b&gt;one&lt;/b&gt;\ntwo" in page.text
    assert "The job did not finish; these faces did." in seen
    assert page.text.count('id="face-') == 25
    assert "the engine was killed by SIGKILL" in client.get("/?status=failed").text


def test_a_loss_is_told_while_the_job_goes_on(client, bench):
    job = bench.submit(count=5, num_inference_steps=50)
    bench.report(job, 0, step=3)
    silent = ErrorInfo(code="worker_lost", message="worker gpu-box-1 was silent for 20 s")
    bench.report(job, 0, ReportStatus.LOST, step=3, error=silent)

    page = client.get(f"/jobs/{job}")

    assert "Newest loss: worker gpu-box-1 was silent for 20 s" in text_of(page)
    assert "Why it failed" not in page.text


def test_cancel_ends_the_job_and_a_second_one_says_that_it_has_ended(client, bench):
    job = bench.submit(count=5)

    first = client.post(f"/jobs/{job}/cancel")
    second = client.post(f"/jobs/{job}/cancel")

    assert (first.status_code, first.location) == (303, f"/jobs/{job}")
    assert bench.service.get_job(job).status == "canceled"
    assert second.status_code == 409
    assert f"job {job} has ended as canceled: it cannot be canceled" in text_of(second)
    assert f'href="/jobs/{job}"' in second.text
    assert "Cancel this job" not in client.get(f"/jobs/{job}").text


def test_the_list_can_be_paged_and_filtered(client, bench):
    jobs = [bench.submit(f"number {index}", count=1) for index in range(30)]
    bench.service.cancel(jobs[3])

    first = client.get("/")
    older = client.get(html.unescape(re.search(r'href="([^"]+)" rel="next"', first.text)[1]))
    canceled = client.get("/?status=canceled")

    assert "number 29" in first.text
    assert "number 6<" in first.text
    assert "number 5<" not in first.text
    assert re.findall(r"number (\d+)</a>", older.text) == ["5", "4", "3", "2", "1", "0"]
    assert re.findall(r"number (\d+)</a>", canceled.text) == ["3"]


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/jobs/none", 404, "there is no job 'none'"),
        ("/nowhere", 404, "Not Found"),
        ("/?status=sleeping", 422, "status must be one of queued, running"),
        ("/?cursor=%3F", 422, "cursor '?' is not one that this API gave"),
        ("/jobs/none/cancel", 405, "Method Not Allowed"),
        ("/jobs/none/previews/0.png", 404, "there is no job 'none'"),
        ("/jobs/%3Cscript%3E", 404, "there is no job '<script>'"),
    ],
)
def test_an_error_is_a_page_with_the_same_words(client, bench, path, status, words):
    page = client.get(path)

    assert page.status_code == status
    assert page.mimetype == "text/html"
    assert words in text_of(page)
    assert "<script>" not in page.text


def test_workers_are_listed_with_what_they_can(client, bench):
    assert "No worker is online." in client.get("/workers").text

    bench.worker_is_online("gpu-box-9")

    seen = text_of(client.get("/workers"))
    assert (
        "gpu-box-9 lab idle Drain cuda:0, bfloat16 H200, 4 threads 1.5 GB of 16.0 GB "
        "100 % of a core" in seen
    )
    assert "of a core GPU 12.0 GB of 80.0 GB , 97 % evaluate, sample, train_ddpm" in seen
    assert f"train_ddpm 1 0.1.0 , protocol {PROTOCOL} Torch 2.13.0 just now heard just now" in seen


def test_a_worker_of_another_version_is_shown_as_incompatible(client, bench):
    stranger = Stranger(type="heartbeat", worker="old-7", protocol=2, host="lab", version="0.0.9")
    with bench.service._database.write() as session:
        note_worker(session, stranger)

    seen = text_of(client.get("/workers"))

    assert "old-7 lab gets no work incompatible It is version 0.0.9 and speaks protocol 2;" in seen
    assert f"this Darkroom is version 0.1.0 and speaks {PROTOCOL}" in seen


def test_pages_say_when_redis_is_away(client, bench, redis_server):
    assert "Redis is out of reach" not in client.get("/").text

    redis_server.kill()

    job = bench.submit(count=1)
    assert "Redis is out of reach" in client.get("/").text
    assert "Redis is out of reach" in client.get(f"/jobs/{job}").text


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/new",
        "/new?kind=train_ddpm",
        "/datasets",
        "/datasets/synthetic",
        "/checkpoints",
        "/workers",
        "/nowhere",
    ],
)
def test_pages_allow_no_script_style_or_frame_but_our_own(client, path):
    page = client.get(path)

    for name, value in HEADERS.items():
        assert page.headers[name] == value
    assert "no-store" in page.headers["Cache-Control"]
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", page.text)
    assert not re.search(r'(src|href|action)="(https?:)?//', page.text)


def test_a_page_of_another_site_cannot_cancel(client, bench):
    job = bench.submit(count=1)

    answer = client.post(f"/jobs/{job}/cancel", headers={"Origin": "https://elsewhere.example"})

    assert answer.status_code == 403
    assert bench.service.get_job(job).status == "queued"


def test_a_job_that_is_deleted_after_it_was_listed_has_no_thumbnail(bench):
    job = bench.submit(count=1)
    bench.service.cancel(job)
    listed = bench.service.get_job(job).model_copy(update={"status": JobStatus.SUCCEEDED})
    bench.service.delete_job(job)

    assert Pages(bench.service)._thumbnail(listed) is None
