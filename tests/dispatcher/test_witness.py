"""The witness of the stories sees what it is there to see: every row here is forged."""

import pytest

from jobs.requests import SampleJob, SampleParams
from jobs.sqlite import sqlite_module
from tests.dispatcher.simulated_worker import STEPS
from tests.dispatcher.simulation import World
from tests.dispatcher.witness import Witness

RUNNING = "UPDATE shards SET {} WHERE status = 'running'"
ENDED = "UPDATE shards SET {} WHERE status = 'succeeded'"


@pytest.fixture
def world(tmp_path, stocked_file):
    """One shard of a job has succeeded, one runs, and one assembles them later."""
    world = World(tmp_path, stocked_file, Witness)
    params = SampleParams(count=2, num_inference_steps=STEPS)
    world.service.submit(SampleJob(kind="sample", params=params), "ada")
    quick, slow = world.start_worker(), world.start_worker()
    for worker in (quick, slow):
        worker.speak()
        world.deliver(worker)
    for _ in range(3):
        world.dispatch()
    for worker in (quick, slow):
        worker.take()
        worker.work()
    quick.finish()
    for worker in (quick, slow):
        worker.speak()
        world.deliver(worker)
    world.dispatch()
    yield world
    world.close()


@pytest.mark.parametrize(
    ("forgery", "complaint"),
    [
        (ENDED.format("losses = 1"), "an ended shard has changed"),
        (ENDED.format("status = 'queued'"), "an ended shard has changed"),
        (RUNNING.format("done = done + 1"), None),
        (RUNNING.format("seq = seq + 7"), "nobody said this"),
        (RUNNING.format("holder = 'another'"), "the holder was replaced"),
        (RUNNING.format("attempt = attempt - 1"), None),
        (RUNNING.format("attempt = attempt + 2"), None),
        (RUNNING.format("losses = losses + 1"), "a loss was counted that was none"),
        (RUNNING.format("losses = 3"), None),
        (RUNNING.format("saved_step = saved_step - 1"), None),
        (RUNNING.format("status = 'failed', error = '{\"code\": \"bad\"}'"), None),
        ("UPDATE jobs SET status = 'succeeded'", None),
        ("UPDATE jobs SET status = 'canceled'", "a shard of an ended job still waits or runs"),
        ("UPDATE jobs SET priority = 7", None),
        ("UPDATE artifacts SET path = 'jobs/other/file'", "not its holder's"),
        ("DELETE FROM artifacts", "each success has made one file, once"),
    ],
)
def test_a_forged_row_is_seen(world, forgery, complaint):
    world.witness.look()
    statuses = sorted(shard["status"] for shard in world.witness.shards.values())
    assert statuses == ["queued", "running", "succeeded"]
    with sqlite_module().connect(world.database_path) as connection:
        assert connection.execute(forgery).rowcount == 1
    connection.close()

    with pytest.raises(AssertionError, match=complaint):
        world.witness.look()


def test_of_two_workers_on_one_attempt_only_the_holders_words_are_written(tmp_path, stocked_file):
    """A story that must be told each time: without the holder's guard the witness complains."""
    world = World(tmp_path, stocked_file, Witness)
    workers = [world.start_worker(), world.start_worker()]
    params = SampleParams(count=1, num_inference_steps=STEPS)
    world.service.submit(SampleJob(kind="sample", params=params), "ada")

    def round_of_all():
        for worker in workers:
            worker.obey()
            worker.take()
            worker.work()
            worker.speak()
            world.deliver(worker)
        world.dispatch()
        world.witness.look()

    while not any(world.road.queues.values()):
        round_of_all()
    (order,) = next(queue for queue in world.road.queues.values() if queue)
    world.road.queues = {worker.name: [order] for worker in workers}
    round_of_all()
    assert world.witness.shards[order.shard_id]["holder"] == workers[0].name
    assert all(worker.order == order for worker in workers)
    round_of_all()
    assert [worker.order for worker in workers] == [order, None]
    world.close()
