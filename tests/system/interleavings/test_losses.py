"""Workers and engines that die, fall silent and are heard again."""

import pytest

from jobs.artifacts import ArtifactStore
from jobs.contract import ErrorInfo
from jobs.messages import Manifest, OrderType, ReportStatus

RUNNING = ReportStatus.RUNNING


@pytest.fixture
def passes(start_passes):
    return start_passes()


@pytest.fixture
def job(system, checkpoint):
    return system.submit(checkpoint=checkpoint, count=4, num_inference_steps=10, seed=1)


@pytest.fixture
def held(passes, job, scripted_worker):
    """A worker that holds the job's shard, and what it was sent."""
    worker = scripted_worker("holder")
    worker.beat()
    message = passes.until(worker.take_message)
    worker.report(message.shard_id, 1, RUNNING, done=8, saved_step=2)
    passes.all_read()
    return worker, message


def test_a_worker_that_dies_running_is_a_loss_and_its_shard_goes_elsewhere(
    passes, job, held, scripted_worker, shard
):
    other = scripted_worker("other")
    passes.silence()

    def taken():
        other.beat()
        return other.take_message()

    message = passes.until(taken)

    assert message.attempt == 2
    assert shard(job).losses == 1
    assert shard(job).error.code == "worker_lost"
    assert shard(job).error.details == {"worker": "holder", "attempt": 1, "step": 2}


def test_a_holder_heard_before_the_next_send_goes_on_and_has_lost_nothing(passes, job, held, shard):
    worker, message = held
    passes.silence()
    passes.until(lambda: shard(job).losses == 1)
    assert shard(job).status == "queued"

    worker.beat((message.shard_id, 1))
    passes.all_read()

    assert shard(job).status == "running"
    assert (shard(job).losses, shard(job).attempt, shard(job).worker) == (0, 1, "holder")
    worker.report(message.shard_id, 1, ReportStatus.SUCCEEDED)
    passes.all_read()
    assert shard(job).status == "succeeded"


def test_a_holder_heard_in_the_pass_that_finds_it_silent_is_not_taken_back(
    passes, job, held, shard
):
    worker, message = held
    passes.silence()  # nobody reads meanwhile
    worker.beat((message.shard_id, 1))

    passes.all_read()

    assert shard(job).status == "running"
    assert shard(job).losses == 0


def test_a_dead_engine_is_a_loss_and_the_third_fails_the_shard(
    passes, system, job, held, scripted_worker, shard
):
    worker, message = held
    error = ErrorInfo(
        code="engine_died",
        message="the engine was killed by SIGKILL",
        details={"signal": "SIGKILL", "memory_bytes": 1, "log": ["last words"], "step": 2},
    )
    for attempt in (1, 2, 3):
        worker.report(message.shard_id, attempt, ReportStatus.LOST, saved_step=2, error=error)
        passes.all_read()
        assert shard(job).losses == attempt
        if attempt < 3:
            worker.beat()
            passes.until(worker.take_message)

    assert shard(job).status == "failed"
    assert system.job(job.id).status == "failed"
    assert system.job(job.id).error == error
    assert [s.status for s in system.service.list_shards(job.id)] == ["failed", "canceled"]


def test_the_count_of_losses_begins_anew_when_the_saved_step_has_grown(passes, job, held, shard):
    worker, message = held
    counts = []
    for attempt, saved in enumerate((2, 2, 3, 3), 1):
        worker.report(message.shard_id, attempt, ReportStatus.LOST, saved_step=saved)
        passes.all_read()
        counts.append(shard(job).losses)
        worker.beat()
        passes.until(worker.take_message)
    assert counts == [1, 2, 1, 2]


def test_an_attempt_that_dies_before_it_has_loaded_forgives_no_loss(passes, job, held, shard):
    worker, message = held
    for attempt, saved in enumerate((2, 0, 2), 1):  # it says 0 until it has loaded the state
        worker.report(message.shard_id, attempt, ReportStatus.LOST, saved_step=saved)
        passes.all_read()
        if attempt < 3:
            worker.beat()
            passes.until(worker.take_message)
    assert shard(job).status == "failed"


def test_a_finished_attempt_whose_end_was_never_heard_is_found_by_its_manifest(
    passes, job, held, shard, web_settings
):
    worker, message = held
    ArtifactStore(web_settings.artifacts_url).write_manifest(
        Manifest(
            job_id=job.id,
            shard_id=message.shard_id,
            attempt=1,
            worker=worker.name,
            done=40,
            artifacts=[],
        )
    )
    passes.silence()

    passes.until(lambda: shard(job).status == "succeeded")

    assert (shard(job).attempt, shard(job).losses) == (1, 0)
    assert shard(job).progress.done == 40


def test_a_worker_that_was_taken_over_and_comes_back_is_stopped(
    passes, job, held, scripted_worker, shard
):
    cut_off, message = held
    other = scripted_worker("other")

    def taken():
        other.beat()
        return other.take_message()

    passes.silence()
    passes.until(taken)
    other.report(message.shard_id, 2, RUNNING, done=16)
    cut_off.beat((message.shard_id, 1))
    cut_off.report(message.shard_id, 1, ReportStatus.SUCCEEDED)
    passes.all_read()

    assert cut_off.wait_order(OrderType.STOP).attempt == 1
    assert (shard(job).worker, shard(job).status) == ("other", "running")
    assert shard(job).progress.done == 16


def test_a_cancel_reaches_the_holder_at_once_and_again_with_each_heartbeat(
    passes, system, job, held, shard
):
    worker, message = held
    system.service.cancel(job.id)
    passes.all_read()
    assert worker.wait_order(OrderType.STOP).shard_id == message.shard_id
    worker.beat((message.shard_id, 1))
    passes.all_read()
    assert worker.wait_order(OrderType.STOP).shard_id == message.shard_id
    worker.report(message.shard_id, 1, ReportStatus.SUCCEEDED)
    passes.all_read()
    assert system.job(job.id).status == "canceled"
    assert shard(job).losses == 0
