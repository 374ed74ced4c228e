"""The page of the queue, and what is decided there."""

import re

import pytest

from tests.dashboard.bench import WORKER


@pytest.fixture
def text(client):
    def text(path):
        page = client.get(path)
        assert page.status_code == 200
        return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.text))

    return text


def test_the_queue_is_paused_and_resumed_with_its_reason(client, bench, text):
    assert "Nothing is paused." in text("/queue")
    answer = client.post("/queue/pause", data={"scope": "sample", "reason": "new weights"})
    assert (answer.status_code, answer.location) == (303, "/queue")
    assert "Sampling was paused by local just now : new weights" in text("/queue")
    bench.worker_is_online()
    job = bench.submit()
    assert "Kind sample is paused by local: new weights" in text(f"/jobs/{job}")

    client.post("/queue/resume", data={"scope": "sample"})
    assert "Nothing is paused." in text("/queue")
    for wrong in ({"scope": "sample", "reason": " "}, {"scope": "prints", "reason": "x"}):
        assert client.post("/queue/pause", data=wrong).status_code == 422


def test_the_reason_of_a_pause_is_kept_without_nul(client, text):
    answer = client.post("/queue/pause", data={"scope": "sample", "reason": "new\0 weights"})

    assert answer.status_code == 303
    assert "just now : new weights" in text("/queue")


def test_a_waiting_job_gets_another_priority(client, bench):
    job = bench.submit()
    answer = client.post(f"/jobs/{job}/priority", data={"priority": "-7"})
    assert (answer.status_code, answer.location) == (303, f"/jobs/{job}")
    assert bench.service.get_job(job).priority == -7
    for wrong in ("101", "1.5", ""):
        assert client.post(f"/jobs/{job}/priority", data={"priority": wrong}).status_code == 422
    bench.service.cancel(job)
    assert client.post(f"/jobs/{job}/priority", data={"priority": "1"}).status_code == 409


def test_a_worker_is_drained_and_that_is_undone(client, bench, text):
    bench.worker_is_online()
    client.post(f"/workers/{WORKER}/drain")
    assert "drained by local just now" in text("/workers")
    client.post(f"/workers/{WORKER}/drain", data={"undo": "1"})
    assert "drained by" not in text("/workers")


def test_measured_jobs_show_when_they_end_and_how_often_that_was_right(bench, text):
    assert "No shard was measured yet." in text("/queue")
    assert "No job has ended after an estimate yet." in text("/queue")
    bench.worker_is_online()
    job = bench.submit()
    assert "No estimate: no shard of kind sample was measured yet." in text(f"/jobs/{job}")
