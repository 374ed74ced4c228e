"""A job's images are the same bytes however it is split, spread, threaded or disturbed."""

import functools
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from diffusion import UNet, has_fast_bfloat16, load_checkpoint, plan, predictor, sample
from diffusion import save_checkpoint as save_native
from formats.description import CheckpointDescription
from formats.faces import from_unit_range
from jobs.contract import JobView
from jobs.library import BUNDLED_CHECKPOINT
from jobs.requests import BUNDLED
from jobs.service import open_service
from tests.system.slowness import slowed

Faces = npt.NDArray[np.uint8]
needs_bfloat16 = pytest.mark.skipif(
    not has_fast_bfloat16(torch.device("cpu")),
    reason="this CPU has no bfloat16 instructions: float32 is what it runs in",
)
PRECISIONS = [pytest.param("bfloat16", marks=needs_bfloat16), "float32"]
COUNT = 50
TIMESTEPS = "trailing"
SEED = 2**63 + 5
SHARD_IMAGES = (50, 25, 7)
DTYPES = {"bfloat16": torch.bfloat16, "float32": torch.float32}
DEFAULT_PRECISION = "bfloat16" if has_fast_bfloat16(torch.device("cpu")) else "float32"
LIVELY = {"heartbeat_seconds": 0.5, "save_seconds": 0.1, "report_seconds": 0.1, "device": "cpu"}


@functools.cache
def core_images(
    path: Path,
    precision: str,
    count: int,
    batch: int,
    steps: int,
    threads: int = 1,
) -> Faces:
    """What the diffusion core itself makes of the job, undisturbed, in batches of this size."""
    torch.set_num_threads(threads)
    checkpoint = load_checkpoint(path)
    predict = predictor(checkpoint.model, "cpu", DTYPES[precision])
    # Of few steps these leave the least noise, so that few pixels are black or white.
    table = plan("ddpm", checkpoint.betas, steps, timesteps=TIMESTEPS)
    pieces = []
    for first in range(0, count, batch):
        *_, last = sample(predict, table, SEED, range(first, min(first + batch, count)))
        pieces.append(from_unit_range(last.z[:, 0].numpy()))
    return np.concatenate(pieces)


def system_images(system, job: JobView) -> Faces:
    ended = system.wait_ended(job.id, 120)
    assert ended.status == "succeeded", ended.error
    return np.load(io.BytesIO(system.images(job.id)))


def submit_in_shards(system, shard_images: int, **params) -> JobView:
    """Submit as a web program with this setting does."""
    settings = system.settings.model_copy(update={"shard_images": shard_images})
    ours, system.service = system.service, open_service(settings)
    try:
        return system.submit(count=COUNT, seed=SEED, timesteps=TIMESTEPS, **params)
    finally:
        system.service = ours


def start_workers(system, count: int, **settings) -> None:
    system.start_dispatcher()
    for _ in range(count):
        system.start_worker(device="cpu", **settings)


def sampling_workers(system, job: JobView) -> set[str | None]:
    return {s.worker for s in system.service.list_shards(job.id) if s.kind == "sample"}


def gray_levels_apart(ours: Faces, others: Faces) -> int:
    return int(np.abs(ours.astype(np.int16) - others.astype(np.int16)).max())


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("workers", [1, 2])
@needs_bfloat16
def test_in_bfloat16_splitting_workers_and_threads_change_no_byte(system, workers, threads):
    start_workers(system, workers, threads=threads, precision="bfloat16")
    expected = core_images(BUNDLED_CHECKPOINT, "bfloat16", COUNT, COUNT, steps=4)
    assert np.mean((expected > 0) & (expected < 255)) > 0.9  # else the bytes would say little

    jobs = {
        size: submit_in_shards(system, size, checkpoint=BUNDLED, num_inference_steps=4)
        for size in SHARD_IMAGES
    }

    for size, job in jobs.items():
        assert np.array_equal(system_images(system, job), expected), f"shards of {size}"
    assert len(sampling_workers(system, jobs[7])) == workers


@pytest.mark.parametrize("width", [8, 64])
@needs_bfloat16
def test_in_bfloat16_workers_of_other_thread_counts_share_a_job(system, tmp_path, width):
    torch.manual_seed(1)
    path = tmp_path / "network.safetensors"
    save_native(path, UNet(width), CheckpointDescription("unet", width))
    checkpoint = system.service.import_checkpoint(path, "untrained").id
    start_workers(system, 1, threads=1, precision="bfloat16")
    system.start_worker(device="cpu", threads=2, precision="bfloat16")
    expected = core_images(path, "bfloat16", COUNT, COUNT, steps=2)

    for size in SHARD_IMAGES:
        job = submit_in_shards(system, size, checkpoint=checkpoint, num_inference_steps=2)
        assert np.array_equal(system_images(system, job), expected), f"shards of {size}"


@pytest.mark.parametrize(("workers", "threads"), [(2, 1), (1, 2)])
def test_in_float32_batch_shape_and_threads_change_a_gray_level_at_most(system, workers, threads):
    start_workers(system, workers, threads=threads, precision="float32")
    whole = core_images(BUNDLED_CHECKPOINT, "float32", COUNT, COUNT, steps=2)

    jobs = {
        size: submit_in_shards(system, size, checkpoint=BUNDLED, num_inference_steps=2)
        for size in SHARD_IMAGES
    }

    for size, job in jobs.items():
        images = system_images(system, job)
        same_shapes = core_images(
            BUNDLED_CHECKPOINT, "float32", COUNT, size, steps=2, threads=threads
        )
        assert np.array_equal(images, same_shapes), f"shards of {size}"
        assert gray_levels_apart(images, whole) <= 1, f"shards of {size}"


class DisturbedJob:
    """A job of two shards midway on one worker: its engine is stopped, with a saved state."""

    count, batch, steps = 4, 2, 100

    def __init__(self, system, eventually: Callable, precision: str = DEFAULT_PRECISION) -> None:
        self._system = system
        self._eventually = eventually
        self._precision = precision
        settings = system.settings.model_copy(update={"shard_images": self.batch})
        system.service = open_service(settings)
        self.dispatcher = system.start_dispatcher(lease_seconds=8, resend_seconds=2)
        self.worker = self.start_worker()
        with slowed(self.worker, then_stopped=True):
            self.id = system.submit(
                timesteps=TIMESTEPS,
                checkpoint=BUNDLED,
                count=self.count,
                num_inference_steps=self.steps,
                seed=SEED,
            ).id
            self.wait_saved()

    def start_worker(self, *, wait: bool = True):
        return self._system.start_worker(precision=self._precision, wait=wait, **LIVELY)

    def wait_saved(self, after: int = 0) -> None:
        """Wait until a shard that runs is known to have saved a later step than this."""

        def is_saved() -> bool:
            job = self._system.job(self.id)
            assert not job.status.has_ended, "it was over before it could be disturbed"
            return self._system.known_step(self.id) > after

        self._eventually(is_saved, 60, "for a saved state")

    def expect_same_bytes(self) -> None:
        images = system_images(self._system, self._system.job(self.id))
        expected = core_images(
            BUNDLED_CHECKPOINT, self._precision, self.count, self.batch, self.steps
        )
        assert np.array_equal(images, expected)

    def expect_resumed(self, times: int) -> None:
        """Each engine that was lost cost one attempt, and the next went on where it was."""
        shards = self._system.service.list_shards(self.id)
        assert sum(shard.attempt - 1 for shard in shards) == times
        # one loss at most is left of a shard that went on: what is saved after it forgives
        assert all(shard.losses == (shard.attempt > 1) for shard in shards)
        resumed = self._system.resumed_steps(self.id)
        assert len(resumed) == times, "it began anew"
        assert all(0 < step < self.steps for step in resumed)

    def expect_no_new_attempt(self) -> None:
        shards = self._system.service.list_shards(self.id)
        assert [(s.attempt, s.losses) for s in shards] == [(1, 0)] * 3
        assert not self._system.resumed_steps(self.id)


@pytest.mark.chaos
@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_killed_engine_and_a_killed_consumer_change_no_byte(system, eventually, precision):
    job = DisturbedJob(system, eventually, precision)

    job.worker.engine().kill()
    [step] = eventually(lambda: system.resumed_steps(job.id), 60, "for another engine")
    with slowed(job.worker, share=0.25, then_stopped=True):
        job.wait_saved(after=step)
    (lost,) = [s for s in system.service.list_shards(job.id) if s.losses]
    assert (lost.attempt, lost.losses) == (2, 1)
    assert lost.error.details["signal"] == "SIGKILL"
    assert lost.error.details["memory_bytes"] > 0
    engine = job.worker.engine()
    job.worker.kill()
    engine.resume()
    job.start_worker(wait=False)

    engine.wait(60)  # it ends by itself, so that nobody works for nobody
    job.expect_same_bytes()
    job.expect_resumed(times=2)


@pytest.mark.chaos
def test_a_killed_dispatcher_and_a_killed_redis_change_no_byte(system, eventually, redis_server):
    job = DisturbedJob(system, eventually)

    job.dispatcher.kill()
    redis_server.kill()
    redis_server.start()
    system.start_dispatcher(lease_seconds=8, resend_seconds=2)
    job.worker.engine().resume()

    job.expect_same_bytes()
    job.expect_no_new_attempt()
