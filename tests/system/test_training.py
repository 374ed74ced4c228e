"""Trainings through dispatcher and workers: the same weights, whoever is killed on the way."""

import functools
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import numpy.typing as npt
import pytest
import torch

from diffusion import Training, TrainingOptions, fit_prior
from diffusion.training_options import TrainingLimit
from formats.checkpoint import read_checkpoint
from jobs.contract import JobView
from jobs.requests import job_request_adapter
from synthetic import synthetic_faces
from tests.system.slowness import slowed

Weights = Mapping[str, npt.NDArray[np.float32]]

STEPS = 80
PATIENCE = 300.0  # seconds; a busy machine needs most of them
TINY = {
    "width": 8,
    "batch_size": 8,
    "synthetic_count": 200,
    "steps": STEPS,
    "warmup_steps": 20,
    "seed": 2**53 + 1,
}
LIVELY = {
    "device": "cpu",
    "precision": "float32",
    "heartbeat_seconds": 0.5,
    "report_seconds": 0.1,
    "training_save_seconds": 0.3,
}


def submit(system, kind: str, **params: Any) -> JobView:
    request = job_request_adapter.validate_python({"kind": kind, "params": params})
    return system.service.submit(request, "local").job


def succeed(system, job_id: str) -> JobView:
    ended = system.wait_ended(job_id, PATIENCE)
    assert ended.status == "succeeded", ended.error
    return ended


def weights_of(system, job_id: str, folder: Path) -> Weights:
    (record,) = [a for a in system.service.list_artifacts(job_id) if a.role == "checkpoint"]
    path = folder / f"{job_id}.safetensors"
    path.write_bytes(system.service.read_artifact(record.id))
    return read_checkpoint(path)[0]


@functools.cache
def undisturbed() -> Weights:
    """What the core itself trains, in one go."""
    torch.set_num_threads(1)
    faces, _ = synthetic_faces(TINY["synthetic_count"], 1)
    options = {name: TINY[name] for name in ("width", "batch_size", "warmup_steps", "seed")}
    training = Training(
        faces, TrainingOptions(**options), TrainingLimit(steps=STEPS), dtype=torch.float32
    )
    for _ in training.run():
        pass
    prior = fit_prior(faces)
    tensors = training.averaged.state_dict() | {f"prior.{n}": v for n, v in vars(prior).items()}
    return {name: tensor.half().float().numpy() for name, tensor in tensors.items()}


def assert_undisturbed(found: Weights) -> None:
    assert found.keys() == undisturbed().keys()
    for name, weight in undisturbed().items():
        assert np.array_equal(found[name], weight), name


def has_saved_after(system, job_id: str, step: int) -> Callable[[], bool]:
    return lambda: system.known_step(job_id) > step


@pytest.mark.chaos
def test_a_training_is_the_same_after_a_cancel_a_hand_back_and_two_kills(
    system, eventually, tmp_path
):
    system.start_dispatcher(lease_seconds=8, resend_seconds=2)
    rarely = LIVELY | {"training_save_seconds": 3600}
    leaving = system.start_worker(**rarely)
    with slowed(leaving, share=0.5):
        canceled = submit(system, "train_ddpm", **TINY)
        system.wait_done(canceled.id, 1, PATIENCE)

        assert system.service.cancel(canceled.id).status == "canceled"
        job = system.service.retry(canceled.id, "local").job
        assert job.retry_of == canceled.id
        system.wait_done(job.id, STEPS // 4, PATIENCE)  # so the slot was free again
        assert system.job(canceled.id).progress.done < STEPS
        assert leaving.stop(60) == 0  # SIGTERM

    (handed_back,) = system.saved_steps(job.id)
    assert handed_back >= STEPS // 4
    worker = system.start_worker(**LIVELY)
    with slowed(worker, share=0.5):
        eventually(has_saved_after(system, job.id, handed_back), PATIENCE, "for a saved state")
        worker.engine().kill()
    eventually(lambda: len(system.resumed_steps(job.id)) == 2, PATIENCE, "for another engine")
    with slowed(worker, share=0.5):
        last = max(system.resumed_steps(job.id)[-1], STEPS // 2)
        eventually(has_saved_after(system, job.id, last), PATIENCE, "for the second half")
        worker.kill()
    system.start_worker(wait=False, **LIVELY)

    succeed(system, job.id)
    first, second, third = system.resumed_steps(job.id)
    assert handed_back == first < second < third < STEPS
    (shard,) = system.service.list_shards(job.id)
    assert (shard.attempt, shard.losses) == (4, 1)  # what was saved in between forgives one
    assert_undisturbed(weights_of(system, job.id, tmp_path))


def test_what_was_trained_is_sampled_and_evaluated_at_once(system):
    system.start_dispatcher()
    system.start_worker(**LIVELY)
    tiny = TINY | {"steps": 20}
    trained = succeed(system, submit(system, "train_ddpm", **tiny).id)
    (made,) = [a for a in system.service.list_artifacts(trained.id) if a.role == "checkpoint"]
    checkpoint = system.service.get_checkpoint(made.sha256[:16])
    assert checkpoint.job_id == trained.id
    assert checkpoint.description["prior_components"] == 16

    sampling = {"checkpoint": checkpoint.id, "preset": "fast", "num_inference_steps": 4, "seed": 1}
    sampled = succeed(system, submit(system, "sample", **sampling).id)
    compared = {"job": sampled.id, "synthetic_count": 300}
    of_images = succeed(system, submit(system, "evaluate", **compared).id)
    measured = {"checkpoint": checkpoint.id, "synthetic_count": 200}
    of_checkpoint = succeed(system, submit(system, "evaluate", **measured).id)

    assert [a.name for a in system.service.list_artifacts(of_images.id)] == [
        "metrics.json",
        "nearest-neighbours.png",
    ]
    assert metrics_of(system, of_images.id)["n"] == 100
    assert of_images.progress.done == of_images.progress.total == 100
    assert len(metrics_of(system, of_checkpoint.id)["loss_by_tenth"]) == 10
    curves = system.service.curves(trained.id).curves
    assert [step for step, _ in curves["loss"]] == list(range(1, 21))


def metrics_of(system, job_id: str) -> dict[str, Any]:
    (record,) = [a for a in system.service.list_artifacts(job_id) if a.role == "metrics"]
    return json.loads(system.service.read_artifact(record.id))


class Up:
    """`darkroom up` over one data folder, again and again."""

    def __init__(self, folder: Path) -> None:
        settings = {f"DARKROOM_{name.upper()}": str(value) for name, value in LIVELY.items()}
        self._environment = os.environ | settings
        self._environment |= {"DARKROOM_THREADS": "1", "DARKROOM_LEASE_SECONDS": "8"}
        self._command = [sys.executable, "-m", "darkroom", "up", "--port", "0"]
        self._command += ["--data-dir", str(folder / "data")]
        self.log = folder / "up.log"
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> httpx.Client:
        """A client of its API."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.process.stdout is not None
        word, url = self.process.stdout.readline().split()
        assert word == "ready"
        return httpx.Client(base_url=f"{url}/api/v1", timeout=30)

    def end(self, how: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(60)
            self.process.stdout.close()
            self.process = None


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    """A whole system that can be killed and started again."""
    system = Up(tmp_path)
    yield system
    system.end(signal.SIGTERM)
    print(system.log.read_text())  # noqa: T201  (pytest shows it when the test fails)


@pytest.mark.chaos
def test_a_training_is_the_same_after_all_of_up_was_killed(up, eventually, tmp_path):
    with up.start() as client:
        answer = client.post("/jobs", json={"kind": "train_ddpm", "params": TINY})
        assert answer.status_code == 202
        job_id = answer.json()["id"]

        def is_midway() -> bool:
            job = client.get(f"/jobs/{job_id}").json()
            assert job["status"] in ("queued", "running"), job
            return job["progress"]["done"] >= STEPS // 2

        eventually(is_midway, PATIENCE, "for the middle of the training")
        up.end(signal.SIGKILL)

    with up.start() as client:
        job = eventually(
            lambda: ended(client.get(f"/jobs/{job_id}").json()),
            PATIENCE,
            "for the end of the training",
        )
        assert job["status"] == "succeeded", job["error"]
        artifacts = client.get(f"/jobs/{job_id}/artifacts").json()["items"]
        (made,) = [a for a in artifacts if a["role"] == "checkpoint"]
        path = tmp_path / "trained.safetensors"
        path.write_bytes(client.get(f"/artifacts/{made['id']}").content)
    (step,) = [int(step) for step in re.findall(r"goes on from step (\d+)", up.log.read_text())]
    assert 0 < step < STEPS
    assert_undisturbed(read_checkpoint(path)[0])


def ended(job: dict[str, Any]) -> dict[str, Any] | None:
    return None if job["status"] in ("queued", "running") else job
