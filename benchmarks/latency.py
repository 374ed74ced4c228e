"""Submit → `running` recorded on an idle warm system, beside bare Celery from the same run."""

import socket
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

import redis

from benchmarks.bare_celery import STARTED, make_bare_app
from benchmarks.running_system import run_job, running_system
from darkroom.embedded_redis import find_redis_server

JOBS = 50
WARM_UP_JOBS = 3
ONE_STEP = {"count": 1, "num_inference_steps": 1, "seed": 1}


def measure() -> list[str]:
    """Run both, and give the lines of the report."""
    with tempfile.TemporaryDirectory(prefix="darkroom-bench-") as folder:
        darkroom = _darkroom_milliseconds(Path(folder) / "data")
        celery = _celery_milliseconds(Path(folder))
    return [
        f"submit → running recorded, {JOBS} one-step jobs: {_quantiles(darkroom)}",
        f"bare Celery, send_task → start, {JOBS} tasks:      {_quantiles(celery)}",
        f"ratio of the medians: {statistics.median(darkroom) / statistics.median(celery):.1f}",
    ]


def _quantiles(milliseconds: list[float]) -> str:
    cuts = statistics.quantiles(milliseconds, n=100, method="inclusive")
    return f"p50 {cuts[49]:.1f} ms, p90 {cuts[89]:.1f} ms, max {max(milliseconds):.1f} ms"


def _darkroom_milliseconds(data_dir: Path) -> list[float]:
    found = []
    with running_system(data_dir) as client:
        for number in range(WARM_UP_JOBS + JOBS):
            submitted = time.time()  # the dispatcher's clock is the same machine's
            job = run_job(client, ONE_STEP, seconds=60)
            started = datetime.fromisoformat(str(job["started_at"])).timestamp()
            if number >= WARM_UP_JOBS:
                found.append((started - submitted) * 1000)
    return found


def _celery_milliseconds(folder: Path) -> list[float]:
    found = []
    log = (folder / "bare.log").open("ab")
    socket_folder = folder / "bare-redis"
    socket_folder.mkdir()
    port = _free_port()
    server = subprocess.Popen(
        [find_redis_server(), "--port", str(port), "--bind", "127.0.0.1", "--save", ""],
        stdout=log,
        stderr=log,
        cwd=socket_folder,
    )
    url = f"redis://127.0.0.1:{port}/0"
    worker = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.bare_celery", url], stdout=log, stderr=log
    )
    try:
        app, client = make_bare_app(url), redis.Redis.from_url(url)
        for number in range(WARM_UP_JOBS + JOBS):
            sent = time.time()
            app.send_task("bare.start", queue="bare")
            reply = client.blpop([STARTED], timeout=60)
            if reply is None:
                raise RuntimeError("the bare Celery worker did not start its task")
            if number >= WARM_UP_JOBS:
                found.append((float(reply[1]) - sent) * 1000)
        client.close()
        app.close()
    finally:
        for process in (worker, server):
            process.terminate()
            process.wait(30)
        log.close()
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
