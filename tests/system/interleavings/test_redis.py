"""A Redis that is flushed, restarted from an old file, or away."""

import shutil
import signal
import time

import pytest

from jobs.messages import Heartbeat, OrderType, ReportStatus
from jobs.streams import FIELD, REPORTS

RUNNING, SUCCEEDED = ReportStatus.RUNNING, ReportStatus.SUCCEEDED


@pytest.fixture
def passes(start_passes):
    return start_passes()


@pytest.fixture
def job(system, checkpoint):
    return system.submit(checkpoint=checkpoint, count=4, num_inference_steps=10, seed=1)


def finish(passes, worker, job, system):
    """Say that whatever comes has succeeded, until the job has ended."""

    def ended():
        worker.beat()
        message = worker.take_message()
        if message is not None:
            worker.report(message.shard_id, message.attempt, SUCCEEDED)
        return system.job(job.id).status.has_ended

    passes.until(ended)
    assert system.job(job.id).status == "succeeded"
    for shard in system.service.list_shards(job.id):
        assert (shard.status, shard.attempt, shard.losses) == ("succeeded", 1, 0)


def test_a_flush_while_a_job_is_queued(passes, job, scripted_worker, system, redis_server):
    passes.all_read()
    redis_server.flush()
    finish(passes, scripted_worker("a"), job, system)


def test_a_flush_while_a_message_is_on_its_way(passes, job, scripted_worker, system, redis_server):
    worker = scripted_worker("a")
    worker.beat()
    passes.until(lambda: system.service.list_shards(job.id)[0].attempt == 1)
    redis_server.flush()
    finish(passes, worker, job, system)


def test_a_flush_while_a_shard_runs(passes, job, scripted_worker, system, redis_server):
    worker = scripted_worker("a")
    worker.beat()
    message = passes.until(worker.take_message)
    worker.report(message.shard_id, 1, RUNNING)
    passes.all_read()

    redis_server.flush()
    worker.beat((message.shard_id, 1))
    passes.all_read()
    worker.report(message.shard_id, 1, SUCCEEDED)
    finish(passes, worker, job, system)


def test_a_flush_before_the_end_is_acknowledged(passes, job, scripted_worker, system, redis_server):
    worker = scripted_worker("a")
    worker.beat()
    message = passes.until(worker.take_message)
    worker.report(message.shard_id, 1, RUNNING)
    passes.all_read()
    worker.report(message.shard_id, 1, SUCCEEDED, seq=9)
    redis_server.flush()
    passes.all_read()
    assert system.service.list_shards(job.id)[0].status == "running"

    worker.report(message.shard_id, 1, SUCCEEDED, seq=9)  # as with each heartbeat
    passes.all_read()
    assert worker.wait_order(OrderType.ACKNOWLEDGE).seq == 9
    finish(passes, worker, job, system)


def test_a_restart_from_an_old_file_undoes_nothing(
    passes, job, scripted_worker, system, redis_server, tmp_path
):
    worker = scripted_worker("a")
    worker.beat()
    message = passes.until(
        lambda: system.service.list_shards(job.id)[0].attempt and worker.take_message()
    )
    worker.report(message.shard_id, 1, RUNNING, done=4)
    old = tmp_path / "old"
    shutil.copytree(redis_server.folder, old)
    passes.all_read()
    worker.report(message.shard_id, 1, SUCCEEDED)
    passes.all_read()
    before = system.service.list_shards(job.id)[0]
    assert before.status == "succeeded"

    redis_server.kill()
    redis_server.forget()
    shutil.copytree(old, redis_server.folder)
    redis_server.start()
    passes.until(lambda: passes.dispatcher._has_redis)
    passes.all_read()

    assert system.service.list_shards(job.id)[0] == before
    finish(passes, worker, job, system)


@pytest.mark.parametrize("is_emptied", [False, True])
def test_nobodys_silence_counts_while_redis_is_away(
    passes, job, scripted_worker, system, redis_server, is_emptied
):
    worker = scripted_worker("a")
    worker.beat()
    message = passes.until(worker.take_message)
    worker.report(message.shard_id, 1, RUNNING)
    passes.all_read()

    redis_server.kill(signal.SIGKILL)
    if is_emptied:
        redis_server.forget()
    passes.spend(1)
    passes.silence()
    redis_server.start()
    passes.until(lambda: passes.dispatcher._has_redis)
    passes.spend(1)

    shard = system.service.list_shards(job.id)[0]
    assert (shard.status, shard.losses, shard.worker) == ("running", 0, "a")
    worker.report(message.shard_id, 1, SUCCEEDED, seq=9)
    finish(passes, worker, job, system)


def test_what_a_worker_said_before_anybody_read_it_does_not_bring_it_back(
    job, scripted_worker, system, redis_server, start_passes
):
    redis_server.flush()
    long_ago = Heartbeat(
        worker="gone", queue="gone", host="a", pid=1, version="test", slots=1, running=[]
    )
    with redis_server.client() as redis:  # the dispatcher was down for ten minutes
        said_at = f"{(int(time.time()) - 600) * 1000}-0"
        redis.xadd(REPORTS, {FIELD: long_ago.model_dump_json()}, id=said_at)
    passes = start_passes()
    passes.all_read()

    assert system.service.list_workers() == []
    assert system.service.list_shards(job.id)[0].attempt == 0
    finish(passes, scripted_worker("a"), job, system)
