"""A dispatcher killed at the worst moments: after its commit, before what must follow it."""

import contextlib
import os
import subprocess
import sys
import threading
import time

import pytest

from jobs.broadcast import Broadcaster
from jobs.messages import ReportStatus

pytestmark = [pytest.mark.chaos, pytest.mark.both_databases]

PROGRAM = """
import os, signal
from dispatcher import dispatcher, main
from jobs.settings import DispatcherSettings
from jobs.streams import DispatcherStreams

def die(*_arguments):
    os.kill(os.getpid(), signal.SIGKILL)

conclude = DispatcherStreams.conclude

def die_at_the_end(streams, *, updates=(), reset=False, **others):
    conclude(streams, **others)  # the reports are dropped: nobody will read them again
    if any(update.status.has_ended for update in updates):
        die()

{patch}
main.run(DispatcherSettings())
"""
BEFORE_SEND = "dispatcher.send_shard = die"
BEFORE_PUBLISH = "DispatcherStreams.conclude = die_at_the_end"


@pytest.fixture
def run_doomed(system):
    """Starts a dispatcher that kills itself at a certain point."""
    started = []

    def start(patch):
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM.format(patch=patch)],
            env=os.environ | system.environment(),
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait(10)


class OpenPage:
    """A job's page as its script keeps it: it fetches the job whenever it is told to."""

    def __init__(self, system, job):
        self._broadcaster = Broadcaster(system.settings.redis_url)
        self._system, self._job = system, job
        self.shown = job
        self.fetches = 0
        self._thread = threading.Thread(target=self._live)
        self._thread.start()

    def _live(self):
        events = self._broadcaster.subscribe(self._job.id)
        with contextlib.closing(events):
            for event in events:
                if event is not None:
                    self.shown = self._system.job(self._job.id)
                    self.fetches += 1

    def close(self):
        self._broadcaster.close()
        self._thread.join(15)


@pytest.fixture
def job(system, checkpoint):
    return system.submit(checkpoint=checkpoint, count=1, num_inference_steps=1, seed=1)


def test_killed_between_commit_and_send(
    system, job, run_doomed, scripted_worker, shard, start_passes
):
    worker = scripted_worker("a")
    worker.beat()
    assert run_doomed(BEFORE_SEND).wait(30) == -9
    assert (shard(job).attempt, shard(job).worker) == (1, "a")
    assert worker.take_message() is None

    passes = start_passes()
    worker.beat()

    assert passes.until(worker.take_message).attempt == 1


def test_killed_between_commit_and_publish_the_open_page_shows_the_end(
    system, job, run_doomed, scripted_worker, start_passes, wait_for
):
    with contextlib.closing(OpenPage(system, job)) as page:
        wait_for(lambda: page.fetches == 1, what="for the page to be told to begin")
        doomed = run_doomed(BEFORE_PUBLISH)
        wait_for(lambda: page.fetches == 2, what="for it to be told of a dispatcher: that is all")
        worker = scripted_worker("a")

        def died():
            worker.beat()
            message = worker.take_message()
            if message is not None:
                worker.report(message.shard_id, message.attempt, ReportStatus.SUCCEEDED)
            return doomed.poll() is not None

        wait_for(died)
        assert system.job(job.id).status == "succeeded"
        assert page.shown.status == "queued"

        started = time.monotonic()
        passes = start_passes()
        passes.until(lambda: page.shown.status == "succeeded", 30, "for the page to show the end")

        assert time.monotonic() - started < 30
