"""Passes that the database refuses, and what is kept until a success is recorded."""

import pytest

from jobs.requests import SampleJob, SampleParams
from tests.dispatcher.simulated_worker import STEPS
from tests.dispatcher.simulation import LEASE, RESEND, World
from tests.dispatcher.witness import Witness


@pytest.fixture
def world(tmp_path, stocked_file):
    world = World(tmp_path, stocked_file, Witness)
    yield world
    world.close()


def submit(world) -> str:
    params = SampleParams(count=1, num_inference_steps=STEPS)
    made = world.service.submit(SampleJob(kind="sample", params=params), "ada")
    world.jobs.append(made.job.id)
    return made.job.id


def say(world, worker) -> None:
    worker.speak()
    world.deliver(worker)


def test_a_first_report_that_was_never_recorded_loses_no_shard(world):
    job = submit(world)
    first = world.start_worker()
    say(world, first)
    for _ in range(3):
        world.dispatch()
    first.take()  # its report arrives, the database refuses it, Redis is emptied, and it dies
    say(world, first)
    world.refuses_commits = True
    world.dispatch()
    world.refuses_commits = False
    world.road.empty()
    world.workers.remove(first)
    second = world.start_worker()

    for _ in range(20):
        say(world, second)
        world.dispatch()
        second.take()
        second.obey()
        second.work()
        world.clock.now += RESEND / 2

    assert world.clock.now < 1000 + 4 * LEASE
    assert world.service.get_job(job).status == "succeeded"


def test_a_slot_that_a_refused_pass_filled_is_filled_by_the_next(world):
    job = submit(world)
    worker = world.start_worker()
    for _ in range(3):
        world.dispatch()
    say(world, worker)
    world.refuses_commits = True
    world.dispatch()
    world.refuses_commits = False
    assert world.service.list_shards(job)[0].attempt == 0

    for _ in range(3):  # what waits, its end, and what is new; the clock stands
        world.dispatch()

    assert world.service.list_shards(job)[0].attempt == 1


@pytest.mark.parametrize("saved_step", [0, 3])
def test_states_are_dropped_when_the_success_is_recorded_and_not_before(world, saved_step):
    job = submit(world)
    worker = world.start_worker()
    say(world, worker)
    for _ in range(3):
        world.dispatch()
    worker.take()
    folder = f"jobs/{job}/{job}-0/1-{worker.name}"
    world.artifacts.write_bytes(f"{folder}/state-3.safetensors", b"state")
    if saved_step:
        worker.desk.update((f"{job}-0", 1), saved_step=saved_step)
    worker.finish()
    say(world, worker)
    assert "state-3.safetensors" in world.artifacts.names(folder)

    world.dispatch()

    assert world.service.list_shards(job)[0].status == "succeeded"
    kept = world.artifacts.names(folder)
    assert ("state-3.safetensors" in kept) == (saved_step == 0)  # else with all of the job, later
    assert "made.bin" in kept
