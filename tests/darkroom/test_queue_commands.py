"""Priorities, pauses and drains from the command line, against a real web program."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from click.testing import CliRunner

from darkroom.__main__ import main
from jobs.database import Database
from jobs.messages import Heartbeat
from jobs.requests import SampleJob
from jobs.service import JobService, open_service
from jobs.settings import WebSettings
from jobs.workers import note_worker

Run = Callable[..., Any]


@pytest.fixture
def service(web_settings: WebSettings) -> Iterator[JobService]:
    """The same queue, with a worker that has been heard."""
    service = open_service(web_settings)
    database = Database(web_settings.database_url)
    beat = Heartbeat(worker="w", queue="w", host="lab", pid=1, version="", slots=1, running=[])
    with database.write() as session:
        note_worker(session, beat)
    yield service
    database.close()


@pytest.fixture
def run(serve_web: Callable[..., Any], web_settings: WebSettings) -> Run:
    """Runs a command against the web program; gives its exit code and output."""
    url = serve_web(web_settings).url
    return lambda *arguments: CliRunner().invoke(main, arguments, env={"DARKROOM_URL": url})


def test_the_queue_is_paused_shown_and_resumed(run: Run, service: JobService) -> None:
    paused = run("pause", "sample", "--reason", "the lab moves")
    shown = run("queue")
    resumed = run("resume", "sample")

    assert (paused.exit_code, paused.stderr) == (0, "paused: sample\n"), paused.output
    assert shown.stdout.splitlines()[0] == "paused  sample  by local  the lab moves"
    assert (resumed.exit_code, resumed.stderr) == (0, "goes on: sample\n")
    assert service.queue().pauses == []
    assert "kind sample is not paused [404 pause_not_found]" in run("resume", "sample").stderr


def test_a_job_is_changed_and_says_why_it_waits(run: Run, service: JobService) -> None:
    job = service.submit(SampleJob(kind="sample"), "local").job.id
    changed = run("change", job, "--priority", "7", "--name", "first")
    nothing = run("change", job)

    assert changed.stderr.splitlines() == [
        f"job {job} has priority 7",
        "It waits for a free worker.",
    ]
    assert service.get_job(job).name == "first"
    assert run("change", job, "--name", "").exit_code == 0
    assert (service.get_job(job).name, service.get_job(job).priority) == (None, 7)
    assert (nothing.exit_code, "--priority" in nothing.stderr) == (2, True)


def test_a_worker_is_drained_and_that_is_undone(run: Run, service: JobService) -> None:
    drained = run("drain", "w")
    listed = run("workers")
    undone = run("drain", "w", "--undo")

    assert drained.stderr == "worker w is drained\n"
    assert listed.stdout.split() == ["w", "lab", "-", "-", "drained"]
    assert undone.stderr == "worker w takes shards again\n"
    assert service.list_workers()[0].drained_at is None
