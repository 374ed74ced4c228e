"""Trainings through dispatcher and workers: the same weights, whoever is killed on the way."""

import re
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import psutil

from formats.checkpoint import read_checkpoint
from jobs.contract import JobView
from jobs.requests import job_request_adapter

Weights = Mapping[str, npt.NDArray[np.float32]]

STEPS = 200
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
    "heartbeat_seconds": 0.5,
    "report_seconds": 0.1,
    "training_save_seconds": 0.3,
}


def submit(system, kind: str, **params: Any) -> JobView:
    request = job_request_adapter.validate_python({"kind": kind, "params": params})
    return system.service.submit(request, "local").job


def succeed(system, job_id: str) -> JobView:
    ended = system.wait_ended(job_id, 240)
    assert ended.status == "succeeded", ended.error
    return ended


def weights_of(system, job_id: str, folder: Path) -> Weights:
    (record,) = [a for a in system.service.list_artifacts(job_id) if a.role == "checkpoint"]
    path = folder / f"{job_id}.safetensors"
    path.write_bytes(system.service.read_artifact(record.id))
    return read_checkpoint(path)[0]


def assert_equal(found: Weights, expected: Weights) -> None:
    assert found.keys() == expected.keys()
    for name, weight in expected.items():
        assert np.array_equal(found[name], weight), name


def engine_of(worker) -> psutil.Process:
    (engine,) = [
        child
        for child in psutil.Process(worker.pid).children(recursive=True)
        if "worker.engine" in child.cmdline()
    ]
    return engine


def saved_steps(system, job_id: str) -> list[int]:
    folder = Path(system.settings.artifacts_url) / "jobs" / job_id
    return sorted(int(p.stem.split("-")[1]) for p in folder.glob("*/*/state-*.safetensors"))


def resumed_steps(system, job_id: str) -> list[int]:
    found = re.findall(rf"{job_id}\S* goes on from step (\d+)", system.logs())
    return [int(step) for step in found]


def test_a_training_is_the_same_whoever_is_killed(system, eventually, tmp_path):
    system.start_dispatcher(lease_seconds=3, resend_seconds=2)
    worker = system.start_worker(**LIVELY)
    undisturbed = submit(system, "train_ddpm", **TINY)
    succeed(system, undisturbed.id)
    job = submit(system, "train_ddpm", **TINY)

    def has_saved_after(step: int) -> Callable[[], bool]:
        return lambda: any(saved > step for saved in saved_steps(system, job.id))

    eventually(has_saved_after(0), 60, "for a saved state")
    engine_of(worker).send_signal(signal.SIGKILL)
    eventually(has_saved_after(STEPS // 2), 60, "for the second half")
    worker.kill()
    system.start_worker(wait=False, **LIVELY)

    succeed(system, job.id)
    first, second = resumed_steps(system, job.id)
    assert 0 < first < second < STEPS
    assert_equal(weights_of(system, job.id, tmp_path), weights_of(system, undisturbed.id, tmp_path))
