"""Many workers on a dispatcher: how busy they are kept, and what that costs the dispatcher."""

import tempfile
import time
from pathlib import Path

import psutil

from benchmarks.parts import Parts, wait_for
from jobs.requests import SampleJob, SampleParams

WORKERS, JOBS, SHARDS_PER_JOB, SHARD_SECONDS = 64, 20, 100, 2.0
START_SECONDS, WORK_SECONDS = 240.0, 240.0


def measure() -> list[str]:
    """Run them, and give the lines of the report."""
    with tempfile.TemporaryDirectory(prefix="darkroom-bench-") as name:
        folder = Path(name)
        runs = folder / "runs"
        runs.mkdir()
        with Parts(folder) as parts:
            dispatcher = psutil.Process(parts.start("darkroom", "dispatcher").pid)
            parts.start(
                "benchmarks.stand_in_workers",
                str(WORKERS),
                bench_runs=runs,
                bench_shard_seconds=SHARD_SECONDS,
            )
            wait_for(lambda: _are_ready(parts), START_SECONDS, f"{WORKERS} workers")
            began, before = time.monotonic(), _cpu_seconds(dispatcher)
            ids = [_submit(parts) for _ in range(JOBS)]
            while parts.service.list_jobs(status="queued").items:
                time.sleep(1)
            wall = time.monotonic() - began
            load = (_cpu_seconds(dispatcher) - before) / wall
            wait_for(lambda: _have_ended(parts, ids), WORK_SECONDS, "the end of all jobs")
            memory = dispatcher.memory_info().rss
        busy, count = _busy_share(runs)
    return [
        f"{WORKERS} workers, {count} shards of {SHARD_SECONDS:g} s: busy {busy:.1%} of the time "
        "until nothing waited any more",
        f"their dispatcher: {load:.1%} of one core, {memory / 2**20:.0f} MiB",
    ]


def _are_ready(parts: Parts) -> bool:
    return sum(worker.slots for worker in parts.service.list_workers()) >= WORKERS


def _submit(parts: Parts) -> str:
    """A job of so many shards, the one that assembles it included."""
    images = parts.settings.shard_images * (SHARDS_PER_JOB - 1)
    params = SampleParams(count=images, num_inference_steps=1)
    return parts.service.submit(SampleJob(kind="sample", params=params), "bench").job.id


def _have_ended(parts: Parts, ids: list[str]) -> bool:
    jobs = [parts.service.get_job(job_id) for job_id in ids]
    if any(job.error for job in jobs):
        raise RuntimeError(f"a job failed: {next(job.error for job in jobs if job.error)}")
    return all(job.status.has_ended for job in jobs)


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _busy_share(runs: Path) -> tuple[float, int]:
    """From the first beginning until the last piece was begun: then no more work waits for all."""
    lines = [line.split() for path in runs.iterdir() for line in path.read_text().splitlines()]
    intervals = [(float(begin), float(end)) for begin, end, _ in lines]
    first = min(begin for begin, _ in intervals)
    last = max(float(begin) for begin, _, kind in lines if kind != "assemble")
    worked = sum(min(end, last) - begin for begin, end in intervals if begin < last)
    return worked / (WORKERS * (last - first)), len(intervals)
