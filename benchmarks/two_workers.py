"""Two workers of one thread each, beside two bare sampling loops in the same minute."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.parts import Parts, wait_for
from jobs.requests import SampleJob, SampleParams

IMAGES, STEPS, TURNS = 25, 30, 2
PIECES = 6  # shards of one job: three for each worker
LOOK_SECONDS = 1.0  # at the job: oftener, the onlooker alone costs a twentieth of a core
READY = b"ready\n"

BARE = f"""
import sys, time, torch
torch.set_num_threads(1)
from benchmarks import whole_jobs
from jobs.settings import WorkerSettings
from worker.engine.device import Device
whole_jobs.STEPS = {STEPS}
loop = whole_jobs.BareLoop(Device.choose(WorkerSettings(threads=1)))
loop.seconds()
print("ready", flush=True)
for line in sys.stdin:
    print(sum(loop.seconds() for _ in range({PIECES // 2})), flush=True)
"""


def measure() -> list[str]:
    """By turns, and give the lines of the report."""
    loops = [
        subprocess.Popen(
            [sys.executable, "-c", BARE], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for _ in range(2)
    ]
    try:
        for loop in loops:
            assert loop.stdout is not None
            if loop.stdout.readline() != READY:
                raise RuntimeError("a bare loop did not start")
        with (
            tempfile.TemporaryDirectory(prefix="darkroom-bench-") as name,
            Parts(Path(name)) as parts,
        ):
            parts.start("darkroom", "dispatcher")
            for _ in range(2):
                parts.start("darkroom", "worker", threads=1)
            wait_for(lambda: _slots(parts) == 2, 120, "two workers")
            _job_seconds(parts, 2)
            bare, ours = [], []
            for _ in range(TURNS):
                bare.append(_bare_seconds(loops))
                ours.append(_job_seconds(parts, STEPS))
    finally:
        for loop in loops:
            assert loop.stdin is not None
            loop.stdin.close()
            loop.wait(30)
    ratio = sum(bare) / sum(ours)
    listed = "; ".join(f"{a:.1f} s and {b:.1f} s" for a, b in zip(ours, bare, strict=True))
    return [
        f"two workers of one thread, {PIECES} shards of {IMAGES} images and {STEPS} steps, beside "
        f"two bare loops: {listed}: they give {ratio:.2f} of what the loops give"
    ]


def _slots(parts: Parts) -> int:
    return sum(worker.slots for worker in parts.service.list_workers())


def _bare_seconds(loops: "list[subprocess.Popen[bytes]]") -> float:
    """Both at once, half of the pieces each; until the slower one has done."""
    began = time.perf_counter()
    for loop in loops:
        assert loop.stdin is not None
        loop.stdin.write(b"go\n")
        loop.stdin.flush()
    for loop in loops:
        assert loop.stdout is not None
        loop.stdout.readline()
    return time.perf_counter() - began


def _job_seconds(parts: Parts, steps: int) -> float:
    """One job through the whole system, its collage included."""
    params = SampleParams(count=IMAGES * PIECES, num_inference_steps=steps, seed=1)
    job = parts.service.submit(SampleJob(kind="sample", params=params), "bench").job
    while not job.status.has_ended:
        time.sleep(LOOK_SECONDS)
        job = parts.service.get_job(job.id)
    if job.status != "succeeded" or job.finished_at is None:
        raise RuntimeError("the benchmark's job did not succeed")
    return (job.finished_at - job.created_at).total_seconds()
