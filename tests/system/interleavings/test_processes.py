"""Real workers and dispatchers that are stopped, cut off, killed and sent away."""

import signal
from pathlib import Path

import pytest

from jobs.broker import make_app, queue_of
from tests.system.slowness import slowed
from worker.consumer.link import EXIT_STUCK

pytestmark = pytest.mark.chaos

STEPS = 150
QUICK = {"heartbeat_seconds": 0.3, "save_seconds": 0.3, "report_seconds": 0.1}


@pytest.fixture
def submit(system, checkpoint):
    """Submits the same job again and again: its bytes must be the same each time."""
    return lambda: system.submit(checkpoint=checkpoint, count=4, num_inference_steps=STEPS, seed=1)


def is_under_way(shard, attempt):
    """Whether this attempt has made steps of its own."""
    return shard.attempt == attempt and shard.status == "running" and shard.progress.done > 0


def manifests(system, job):
    """The complete attempts of a job."""
    return list(Path(system.settings.artifacts_url).glob(f"jobs/{job.id}/*/*/manifest.json"))


def assert_undisturbed_bytes(system, job, submit):
    """Another run of the same job, without any disturbance, gives the same images."""
    again = submit()
    assert system.wait_ended(again.id).status == "succeeded"
    assert system.images(job.id) == system.images(again.id)


def test_an_engine_that_hangs_is_ended_and_its_shard_goes_on(system, submit, shard):
    system.start_dispatcher()
    worker = system.start_worker(engine_silence_seconds=8, **QUICK)
    with slowed(worker, then_stopped=True):
        job = submit()
        system.wait_done(job.id, 40)

    assert system.wait_ended(job.id).status == "succeeded"
    assert shard(job).losses == 1
    assert shard(job).attempt == 2
    assert shard(job).error.code == "engine_hung"
    assert_undisturbed_bytes(system, job, submit)


def test_an_engine_that_dies_idle_is_missed_at_once_and_costs_no_shard_anything(
    system, submit, shard, wait_for
):
    system.start_dispatcher()
    worker = system.start_worker(**QUICK)
    first = worker.engine()

    first.kill()

    missed = "died while it had nothing to do"
    wait_for(lambda: missed in system.logs(), 30, "for the engine to be missed")
    wait_for(lambda: worker.engine().pid != first.pid, 30, "for another engine")
    with slowed(worker):  # it loads
        workers = system.service.list_workers
        wait_for(lambda: not workers()[0].slots, 30, "for a worker without a slot")
    wait_for(lambda: system.service.list_workers()[0].slots, 60, "for its slot")
    job = submit()
    assert system.wait_ended(job.id).status == "succeeded"
    assert (shard(job).attempt, shard(job).losses) == (1, 0)


def test_a_shard_that_kills_every_engine_fails_with_all_that_is_known(
    system, checkpoint, shard, wait_for
):
    system.start_dispatcher()
    worker = system.start_worker(save_seconds=1000, report_seconds=0.1)
    job = system.submit(checkpoint=checkpoint, count=25, num_inference_steps=1000)  # never over
    for attempt in (1, 2, 3):
        wait_for(lambda attempt=attempt: is_under_way(shard(job), attempt))
        worker.engine().kill()

    error = system.wait_ended(job.id).error

    assert system.job(job.id).status == "failed"
    assert error.code == "engine_died"
    assert error.details["signal"] == "SIGKILL"
    assert error.details["attempt"] == 3
    assert error.details["done"] > 0
    assert error.details["memory_bytes"] > 2**20
    assert {"worker", "step", "log"} <= set(error.details)


def test_sigterm_hands_back_and_the_shard_goes_on_elsewhere(
    system, submit, shard, shard_row, wait_for
):
    system.start_dispatcher()
    leaving = system.start_worker(**QUICK | {"save_seconds": 1000})  # saves only as it leaves
    with slowed(leaving):
        job = submit()
        system.wait_done(job.id, 40)
        assert leaving.stop(60) == 0

    wait_for(lambda: shard(job).status == "queued", 30, "for the hand-back")
    saved = shard_row(shard(job).id).saved_step
    assert saved >= 10
    system.start_worker(**QUICK)

    assert system.wait_ended(job.id).status == "succeeded"
    assert system.resumed_steps(job.id) == [saved]
    assert (shard(job).attempt, shard(job).losses) == (2, 0)
    assert_undisturbed_bytes(system, job, submit)


def test_a_worker_late_with_its_report_runs_a_doubled_message_once(
    system, submit, shard, redis_server, wait_for
):
    system.start_dispatcher(resend_seconds=1)
    worker = system.start_worker(**QUICK)
    worker.send(signal.SIGSTOP)
    job = submit()
    redis = redis_server.client()
    queue = f"darkroom:{queue_of(system.service.list_workers()[0].id)}"
    wait_for(lambda: redis.llen(queue) >= 1, 10, "for a repeated message")

    worker.send(signal.SIGCONT)

    assert system.wait_ended(job.id).status == "succeeded"
    assert (shard(job).attempt, shard(job).losses) == (1, 0)
    redis.close()


def test_redis_away_during_a_shard_costs_nothing(system, submit, shard, redis_server, wait_for):
    system.start_dispatcher(lease_seconds=3)
    with slowed(system.start_worker(**QUICK)):
        job = submit()
        system.wait_done(job.id, 40)
        redis_server.kill()
    wait_for(lambda: manifests(system, job), 30, "for the engine, which goes on to the end")
    with pytest.raises(AssertionError, match="in vain"):
        wait_for(lambda: shard(job).losses, 6, "for a loss that must not come")
    redis_server.start()

    assert system.wait_ended(job.id).status == "succeeded"
    assert (shard(job).attempt, shard(job).losses) == (1, 0)
    assert_undisturbed_bytes(system, job, submit)


def test_a_worker_cut_off_and_taken_over_is_stopped_when_it_comes_back(
    system, submit, shard, proxy, wait_for
):
    system.start_dispatcher(lease_seconds=8)
    cut_off = system.start_worker(redis_url=f"redis://127.0.0.1:{proxy.port}/0", **QUICK)
    engine = cut_off.engine()
    with slowed(cut_off, then_stopped=True):  # so that it still runs when it comes back
        job = submit()
        system.wait_done(job.id, 40)
        proxy.blackhole()
    system.start_worker(**QUICK)
    wait_for(lambda: shard(job).attempt == 2 and shard(job).status != "queued", 60)
    assert shard(job).losses == 1
    taken_over_by = shard(job).worker

    proxy.restore()
    engine.resume()

    assert system.wait_ended(job.id).status == "succeeded"
    assert shard(job).worker == taken_over_by
    assert (shard(job).attempt, shard(job).losses) == (2, 1)
    folder = Path(system.settings.artifacts_url) / "jobs" / job.id / shard(job).id
    wait_for(lambda: len(list(folder.iterdir())) == 1, 10, "for the holder's folder alone")
    assert_undisturbed_bytes(system, job, submit)


def test_an_end_that_was_flushed_is_said_again_until_it_is_acknowledged(
    system, submit, shard, redis_server, wait_for
):
    dispatcher = system.start_dispatcher()
    with slowed(system.start_worker(**QUICK)):
        job = submit()
        system.wait_done(job.id, 40)
        dispatcher.kill()
    wait_for(lambda: manifests(system, job))
    redis_server.flush()
    system.start_dispatcher()

    assert system.wait_ended(job.id).status == "succeeded"
    assert (shard(job).attempt, shard(job).losses) == (1, 0)


def test_a_message_beside_a_free_slot_ends_the_consumer(system, submit, wait_for):
    system.start_dispatcher(resend_seconds=60)
    worker = system.start_worker(heartbeat_seconds=0.3, stuck_seconds=1.5)
    name = system.service.list_workers()[0].id
    app = make_app(system.settings.redis_url)
    replies = app.control.cancel_consumer(
        queue_of(name), destination=[f"darkroom@{name}"], reply=True, timeout=10
    )
    assert replies
    app.close()

    submit()

    wait_for(lambda: worker.process.poll() is not None, 20, "for its end")
    assert worker.stop() == EXIT_STUCK


@pytest.mark.both_databases
def test_a_second_dispatcher_waits_and_takes_over(system, submit, scripted_worker, wait_for):
    first = system.start_dispatcher()
    worker = scripted_worker("a")
    worker.beat()
    wait_for(system.service.list_workers, what="for the first dispatcher")
    system.start_dispatcher()
    wait_for(lambda: "another dispatcher runs: waiting" in system.logs())

    first.kill()
    job = submit()
    worker.beat()

    assert wait_for(worker.take_message).job_id == job.id
