"""Drains, pauses and broken jobs, against a dispatcher moved pass by pass."""

import pytest

from jobs.database import Database
from jobs.messages import OrderType, ReportStatus
from jobs.tables import Checkpoint


@pytest.fixture
def passes(start_passes):
    return start_passes()


def test_a_drained_worker_finishes_what_it_holds_and_gets_nothing_more(
    passes, start_passes, system, checkpoint, scripted_worker, shard
):
    worker = scripted_worker("w")
    worker.beat()
    first = system.submit(checkpoint=checkpoint, count=1, num_inference_steps=1)
    message = passes.until(worker.take_message)
    worker.report(message.shard_id, 1, ReportStatus.RUNNING)
    passes.all_read()

    system.service.drain_worker("w", "ada")
    worker.beat((message.shard_id, 1))
    passes.all_read()
    assert worker.wait_order(OrderType.DRAIN)
    worker.report(message.shard_id, 1, ReportStatus.SUCCEEDED)
    worker.beat()  # it has not obeyed yet: its slot looks free
    passes.all_read()
    assert shard(first).status == "succeeded"
    assert worker.take_message() is None

    passes.dispatcher.close()
    passes = start_passes()  # another dispatcher knows it too
    worker.beat()
    passes.all_read()
    assert worker.take_message() is None

    system.service.undrain_worker("w")

    def assembling():
        worker.beat()
        return worker.take_message()

    assert passes.until(assembling).work.kind == "assemble"


def test_a_worker_that_was_told_to_drain_is_told_to_resume(passes, system, scripted_worker):
    worker = scripted_worker("w")
    worker.beat()
    passes.all_read()
    system.service.drain_worker("w", "ada")
    worker.beat()
    passes.all_read()
    worker.wait_order(OrderType.DRAIN)
    system.service.undrain_worker("w")
    worker.beat(slots=0, draining=True)
    passes.all_read()
    worker.wait_order(OrderType.RESUME)


def test_a_job_whose_checkpoint_is_gone_fails_and_nobody_else_waits(
    passes, system, checkpoint, scripted_worker, web_settings
):
    broken = system.submit(checkpoint=checkpoint, count=60, num_inference_steps=1)
    database = Database(web_settings.database_url)
    with database.write() as session:
        session.delete(session.get_one(Checkpoint, checkpoint))
    database.close()
    whole = system.submit(count=1, num_inference_steps=1)
    worker = scripted_worker("w")

    def taken():
        worker.beat()
        return worker.take_message()

    assert passes.until(taken).job_id == whole.id
    job = system.job(broken.id)
    assert (job.status, job.error.code) == ("failed", "input_gone")
    shards = system.service.list_shards(broken.id)
    assert [each.status for each in shards] == ["failed", *["canceled"] * 3]


def test_usage_outlives_the_dispatcher(
    passes, start_passes, system, checkpoint, scripted_worker, wait_for
):
    system.submit(checkpoint=checkpoint, count=1, num_inference_steps=1)
    worker = scripted_worker("w")
    worker.beat()
    message = passes.until(worker.take_message)
    worker.report(message.shard_id, 1, ReportStatus.RUNNING)

    def used():
        usage = system.service.queue().usage
        return usage and usage[0].device_seconds >= 1

    passes.until(used)
    passes.dispatcher.close()
    start_passes()
    assert system.service.queue().usage[0].submitter == "local"
