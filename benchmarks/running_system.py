"""A whole Darkroom of the benchmark's own: `darkroom up` on a free port and a new data folder."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

READY_SECONDS = 120.0
POLL_SECONDS = 0.2  # seldom: on a small machine asking slows the engine down
STOP_SECONDS = 60.0


@contextlib.contextmanager
def running_system(data_dir: Path) -> Iterator[httpx.Client]:
    """A client of a system that is up and warm; the system ends with the context."""
    log = (data_dir.parent / "up.log").open("ab")
    process = subprocess.Popen(
        [sys.executable, "-m", "darkroom", "up", "--port", "0", "--data-dir", str(data_dir)],
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        env=os.environ,
    )
    try:
        url = _ready_url(process)
        with httpx.Client(base_url=f"{url}/api/v1", timeout=30) as client:
            yield client
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(STOP_SECONDS)
        log.close()


def _ready_url(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("ready "):
            return line.split()[1]
    raise RuntimeError(f"darkroom up ended with {process.wait()} before it was ready")


def run_job(client: httpx.Client, params: dict[str, object], seconds: float) -> dict[str, object]:
    """Submit a job, wait for its success, and return it."""
    answer = client.post("/jobs", json={"kind": "sample", "params": params})
    answer.raise_for_status()
    deadline = time.monotonic() + seconds
    while True:
        job: dict[str, object] = client.get(f"/jobs/{answer.json()['id']}").json()
        if job["status"] == "succeeded":
            return job
        if job["status"] in ("failed", "canceled") or time.monotonic() > deadline:
            raise RuntimeError(f"the benchmark's job did not succeed: {job}")
        time.sleep(POLL_SECONDS)
