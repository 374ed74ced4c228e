import torch

from diffusion import SampleStep
from jobs.artifacts import attempt_folder
from worker.engine.sampling_state import newest_sampling, save_sampling
from worker.engine.shard import ShardRun

CPU = torch.device("cpu")


def make_shard(settings, artifacts, order, worker: str = "worker-1") -> ShardRun:
    return ShardRun(
        worker=worker,
        order=order,
        artifacts=artifacts,
        settings=settings,
        say=lambda event: None,
        interrupt=lambda: None,
    )


def state_at(step: int) -> SampleStep:
    generator = torch.Generator().manual_seed(step)
    z = torch.randn(4, 1, 48, 48, generator=generator)
    return SampleStep(step, z, z.clamp(-1, 1))


def test_without_a_saved_state_there_is_none(worker_settings, artifacts, make_order, keep_network):
    shard = make_shard(worker_settings, artifacts, make_order(keep_network()))

    assert newest_sampling(shard, CPU) is None


def test_a_state_is_read_as_it_was_saved_and_replaces_its_older_one(
    worker_settings, artifacts, make_order, keep_network
):
    shard = make_shard(worker_settings, artifacts, make_order(keep_network()))
    save_sampling(shard, state_at(5))
    save_sampling(shard, state_at(9))

    found = newest_sampling(shard, CPU)

    assert shard.saved_step == found.step == 9
    assert torch.equal(found.z, state_at(9).z)
    assert torch.equal(found.pred_x_0, state_at(9).pred_x_0)
    assert artifacts.names(shard.folder) == ["state-9.safetensors"]


def test_the_furthest_state_of_any_attempt_and_worker_is_found(
    worker_settings, artifacts, make_order, keep_network
):
    reference = keep_network()
    for attempt, worker, step in [(1, "one", 12), (2, "two", 100), (3, "one", 9)]:
        order = make_order(reference, attempt)
        save_sampling(make_shard(worker_settings, artifacts, order, worker), state_at(step))

    shard = make_shard(worker_settings, artifacts, make_order(reference, 4), "three")

    assert newest_sampling(shard, CPU).step == 100


def test_a_damaged_state_is_passed_over_for_the_one_before(
    worker_settings, artifacts, make_order, keep_network
):
    reference = keep_network()
    for attempt, step in [(1, 5), (2, 20)]:
        save_sampling(
            make_shard(worker_settings, artifacts, make_order(reference, attempt)), state_at(step)
        )
    shard = make_shard(worker_settings, artifacts, make_order(reference, 3))
    damaged = f"{attempt_folder('job', 'job-0', 2, 'worker-1')}/state-20.safetensors"
    content = artifacts.read_bytes(damaged)

    for damage in (content[: len(content) // 2], b"", b"\xff" * 100):
        artifacts.write_bytes(damaged, damage)
        assert newest_sampling(shard, CPU).step == 5


def test_a_file_that_was_not_published_is_no_state(
    worker_settings, artifacts, make_order, keep_network
):
    shard = make_shard(worker_settings, artifacts, make_order(keep_network()))
    artifacts.write_bytes(f"{shard.folder}/state-7.safetensors.0a1b2c3d.partial", b"half")

    assert newest_sampling(shard, CPU) is None


def test_a_state_that_is_replaced_while_it_is_looked_for_is_found_anew(
    worker_settings, artifacts, make_order, keep_network, monkeypatch
):
    reference = keep_network()
    old = make_shard(worker_settings, artifacts, make_order(reference), "taken-back")
    save_sampling(old, state_at(5))
    shard = make_shard(worker_settings, artifacts, make_order(reference, 2))
    names, listed = artifacts.names, []

    def names_and_then(folder):
        found = names(folder)
        listed.append(folder)
        if len(listed) == 2:  # what was taken back still runs: its only state is another now
            save_sampling(old, state_at(6))
        return found

    monkeypatch.setattr(artifacts, "names", names_and_then)

    assert newest_sampling(shard, CPU).step == 6
