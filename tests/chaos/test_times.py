"""How soon a loss is noticed, how much is computed again, and how soon a program ends when asked.

With the settings as they are delivered: nothing is shortened here.
"""

import time
from collections.abc import Callable

import httpx
import pytest

from jobs.settings import DispatcherSettings, WorkerSettings

pytestmark = pytest.mark.chaos

WORKER_NOTICED_SECONDS = 25.0
COMPUTED_AGAIN_SECONDS = 10.0
ENDED_SECONDS = 30.0
IMAGES = 12


@pytest.fixture
def job(system, checkpoint):
    """A job of one shard that runs for half a minute or more, once somebody takes it."""
    return system.submit(checkpoint=checkpoint, count=IMAGES, num_inference_steps=1000, seed=1)


def seconds_until(ask: Callable[[], bool], most: float) -> float:
    began = time.monotonic()
    while not ask():
        assert time.monotonic() - began < most, f"not within {most} s"
        time.sleep(0.02)
    return time.monotonic() - began


def test_a_killed_engine_is_noticed_at_once(system, job, shard):
    system.start_dispatcher()
    worker = system.start_worker()
    system.wait_done(job.id, IMAGES)

    worker.engine().kill()

    seconds_until(lambda: shard(job).losses == 1, 15)  # a lease takes 20, its silence 30
    assert shard(job).error.code == "engine_died"


@pytest.mark.thorough
def test_a_dead_worker_is_noticed_after_its_lease(system, job, shard):
    system.start_dispatcher()
    worker = system.start_worker()
    system.wait_done(job.id, IMAGES)

    worker.kill()

    noticed = seconds_until(lambda: shard(job).losses == 1, 60)
    assert DispatcherSettings().lease_seconds - WorkerSettings().heartbeat_seconds <= noticed
    assert noticed <= WORKER_NOTICED_SECONDS


@pytest.mark.thorough
def test_little_is_computed_again(system, job, shard, shard_row):
    system.start_dispatcher()
    worker = system.start_worker()
    system.wait_done(job.id, 1)
    reached: list[tuple[float, int]] = []  # when so many steps were done
    until = time.monotonic() + 9
    while time.monotonic() < until:
        reached.append((time.monotonic(), shard(job).progress.done // IMAGES))
        time.sleep(0.1)
    killed_at = time.monotonic()
    worker.engine().kill()
    seconds_until(lambda: shard(job).losses == 1, 30)

    saved = shard_row(shard(job).id).saved_step
    assert 0 < saved < 1000, "it was not under way"
    saved_at = next(when for when, done in reached if done >= saved)
    assert killed_at - saved_at <= COMPUTED_AGAIN_SECONDS
    seconds_until(lambda: shard(job).attempt == 2 and shard(job).progress.done > 0, 60)
    assert shard(job).progress.done >= saved * IMAGES


def test_each_program_ends_when_it_is_asked_and_nothing_is_lost(
    system, job, serve_web, web_settings, shard
):
    dispatcher = system.start_dispatcher()
    web = serve_web(web_settings)
    with httpx.Client(base_url=web.url, timeout=20) as http:
        seconds_until(lambda: is_ready(http), 30)
        worker = system.start_worker()  # last: its job must be under way when it is asked
        system.wait_done(job.id, IMAGES)
        with http.stream("GET", f"/api/v1/jobs/{job.id}/events") as events:  # an open page
            assert next(events.iter_lines()) is not None

            web.process.terminate()
            assert web.process.wait(ENDED_SECONDS) == 0
    began = time.monotonic()
    assert worker.stop(ENDED_SECONDS) == 0
    seconds_until(lambda: shard(job).status == "queued", 10)
    assert dispatcher.stop(ENDED_SECONDS) == 0
    assert time.monotonic() - began < 2 * ENDED_SECONDS

    assert (shard(job).losses, system.job(job.id).status) == (0, "running")
    system.start_dispatcher()
    system.start_worker()
    seconds_until(lambda: shard(job).attempt == 2 and shard(job).progress.done > 0, 60)
    assert system.service.cancel(job.id).status == "canceled"


def is_ready(http: httpx.Client) -> bool:
    try:
        return http.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False
