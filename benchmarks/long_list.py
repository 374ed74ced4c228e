"""A page of a long list, over HTTP: `darkroom web` with 100,000 jobs in its table."""

import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import insert

from benchmarks.parts import Parts, wait_for
from jobs.database import Database
from jobs.tables import Job, Shard

JOBS, WAITING, PAGES = 100_000, 200, 400
CHUNK = 5_000


def measure() -> list[str]:
    """Ask for pages all over the list, and give the lines of the report."""
    with tempfile.TemporaryDirectory(prefix="darkroom-bench-") as name, Parts(Path(name)) as parts:
        _fill(parts.settings.database_url)
        address = Path(name) / "programs.log"
        parts.start("darkroom", "web", port=0)
        url = wait_for(lambda: _address(address.read_text()), 60, "the web program")
        with httpx.Client(base_url=f"{url}/api/v1", timeout=30) as client:
            cursors = _cursors(client)
            random.Random(1).shuffle(cursors)
            milliseconds = [_ask(client, cursor) for cursor in cursors]
    cuts = statistics.quantiles(milliseconds, n=100, method="inclusive")
    return [
        f"a page of 50 of {JOBS:,} jobs, {WAITING} of them waiting, {len(milliseconds)} pages: "
        f"p50 {cuts[49]:.1f} ms, p99 {cuts[98]:.1f} ms"
    ]


def _address(log: str) -> str | None:
    found = [word for word in log.split() if word.startswith("http://127.0.0.1:")]
    return found[-1].rstrip("/") if found else None


def _cursors(client: httpx.Client) -> list[str | None]:
    """Where pages begin: the newest, and those after them; the waiting jobs are among these."""
    cursors: list[str | None] = [None] * (PAGES // 4)
    cursor = None
    while len(cursors) < PAGES:
        page = client.get("/jobs", params=_params(cursor)).raise_for_status().json()
        cursor = page["next_cursor"]
        cursors.append(cursor)
    return cursors


def _ask(client: httpx.Client, cursor: str | None) -> float:
    began = time.perf_counter()
    client.get("/jobs", params=_params(cursor)).raise_for_status()
    return (time.perf_counter() - began) * 1000


def _params(cursor: str | None) -> dict[str, str]:
    return {"limit": "50"} | ({} if cursor is None else {"cursor": cursor})


def _fill(database_url: str) -> None:
    """Write the jobs as they lie there after months; only the newest still wait."""
    database = Database(database_url)
    now = datetime.now(UTC)
    rows = _rows(now)
    with database.write() as session:
        while chunk := [row for _, row in zip(range(CHUNK), rows, strict=False)]:
            session.execute(insert(Job), chunk)
            session.execute(insert(Shard), [_shard(job) for job in chunk])
    database.close()


def _rows(now: datetime) -> Iterator[dict[str, Any]]:
    for age in range(JOBS):
        at = now - timedelta(seconds=60 * age)
        is_waiting = age < WAITING
        ended = "failed" if age % 20 == 0 else "succeeded"
        error = {"code": "sampling_failed", "message": "not finite", "details": {}}
        yield {
            "id": f"{age:016x}",
            "kind": "sample",
            "name": f"faces {age}",
            "submitter": f"person {age % 7}",
            "priority": 0,
            "status": "queued" if is_waiting else ended,
            "status_seq": 5,
            "params": {"checkpoint": "bundled", "count": 100, "seed": age},
            "done": 0 if is_waiting else 100_000,
            "total": 100_000,
            "error": error if not is_waiting and ended == "failed" else None,
            "request_sha256": "0" * 64,
            "created_at": at,
            "started_at": None if is_waiting else at,
            "finished_at": None if is_waiting else at,
        }


def _shard(job: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"{job['id']}-0",
        "job_id": job["id"],
        "index": 0,
        "kind": "sample",
        "first_image": 0,
        "image_count": 100,
        "status": job["status"],
        "attempt": 0 if job["status"] == "queued" else 1,
        "seq": 0,
        "done": job["done"],
        "total": job["total"],
        "saved_step": 0,
        "losses": 0,
        "loss_step": 0,
        "preview_version": 0,
    }
