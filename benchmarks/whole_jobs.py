"""Whole jobs through the API beside the bare loop, and the most memory each program took."""

import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import torch

from benchmarks.running_system import run_job, running_system
from diffusion import load_checkpoint, plan, predictor, sample
from jobs.library import BUNDLED_CHECKPOINT
from jobs.settings import WorkerSettings
from worker.engine.device import Device

IMAGES, STEPS, ROUNDS = 25, 250, 2
JOB = {"count": IMAGES, "num_inference_steps": STEPS, "sampler": "ddpm", "prior": "standard"}
JOB_SECONDS = 600.0
PROGRAMS = {"web": "web", "dispatcher": "dispatcher", "consumer": "worker", "engine": "engine"}


def measure() -> list[str]:
    """Run them by turns, with the same threads, and give the lines of the report."""
    jobs, loops = [], []
    bare = BareLoop(Device.choose(WorkerSettings()))
    with (
        tempfile.TemporaryDirectory(prefix="darkroom-bench-") as folder,
        running_system(Path(folder) / "data") as client,
    ):
        run_job(client, {**JOB, "num_inference_steps": 2}, JOB_SECONDS)
        for _ in range(ROUNDS):
            loops.append(bare.seconds())
            jobs.append(_job_seconds(client))
        memory = dict(_peak_memory())
    ratio = statistics.median(jobs) / statistics.median(loops)
    what = f"{IMAGES} images, {STEPS} steps, {torch.get_num_threads()} threads"
    listed = ", ".join(f"{name} {size / 2**20:.0f} MiB" for name, size in memory.items())
    return [
        f"whole job, {what}: {_both(jobs)}; the bare loop: {_both(loops)}; ratio {ratio:.2f}",
        f"most memory: {listed}",
    ]


class BareLoop:
    """The same sampling without a system around."""

    def __init__(self, device: Device) -> None:
        checkpoint = load_checkpoint(BUNDLED_CHECKPOINT)
        self._predict = predictor(checkpoint.model, device.device, device.dtype)
        self._plan = plan("ddpm", checkpoint.betas, STEPS)

    def seconds(self) -> float:
        began = time.perf_counter()
        for _ in sample(self._predict, self._plan, 1, range(IMAGES)):
            pass
        return time.perf_counter() - began


def _job_seconds(client: httpx.Client) -> float:
    began = time.perf_counter()
    run_job(client, JOB, JOB_SECONDS)
    return time.perf_counter() - began


def _both(seconds: list[float]) -> str:
    return " and ".join(f"{each:.1f} s" for each in seconds)


def _peak_memory() -> Iterator[tuple[str, int]]:
    """Name and bytes of each program of the system, as Linux keeps them (VmHWM)."""
    for process in psutil.Process().children(recursive=True):
        words = process.cmdline()
        for name, word in PROGRAMS.items():
            if word in words or f"worker.{word}" in words:
                status = Path(f"/proc/{process.pid}/status").read_text()
                line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
                yield name, int(line.split()[1]) * 1024
