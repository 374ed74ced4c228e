"""An engine that only sleeps, and says so in the engine's words: `python stand_in_engine.py`.

It needs nothing but the standard library, so that 64 of it start at once. For each shard a line
`begin end kind` (seconds of the monotonic clock) goes to a file of its own below
`DARKROOM_BENCH_RUNS`.
"""

import hashlib
import json
import os
import resource
import select
import sys
import time
from pathlib import Path
from typing import Any

Words = dict[str, Any]


class StandIn:
    """Sleeps for each shard, publishes a file and its manifest, and obeys interrupts."""

    def __init__(self) -> None:
        self._report_seconds = float(os.environ["DARKROOM_REPORT_SECONDS"])
        self._store = Path(os.environ["DARKROOM_ARTIFACTS_URL"])
        self._seconds = float(os.environ["DARKROOM_BENCH_SHARD_SECONDS"])
        self._runs = Path(os.environ["DARKROOM_BENCH_RUNS"]) / str(os.getpid())

    def serve(self) -> None:
        say({"type": "ready", "capabilities": {"device": "none", "stand_in": True}})
        while line := sys.stdin.readline():
            command = json.loads(line)
            if command["type"] == "run":
                self._run(command["worker"], command["order"])

    def _run(self, worker: str, order: Words) -> None:
        began = time.monotonic()
        interrupt = self._sleep_until(began + self._seconds)
        if interrupt is not None:
            say({"type": "interrupted", "interrupt": interrupt, "saved_step": 0})
            return
        artifacts = self._publish(worker, order)
        with self._runs.open("a") as runs:
            runs.write(f"{began} {time.monotonic()} {order['work']['kind']}\n")
        say({"type": "finished", "done": 0, "artifacts": artifacts})

    def _sleep_until(self, end: float) -> str | None:
        """Say at times that it goes on; an interrupt ends the sleep, and is returned."""
        while (left := end - time.monotonic()) > 0:
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
            say({"type": "working", "done": 0, "saved_step": 0, "memory_bytes": memory})
            if select.select([sys.stdin], [], [], min(left, self._report_seconds))[0]:
                command = json.loads(sys.stdin.readline() or "null")
                if command is None:  # the consumer is gone
                    sys.exit()
                return str(command["interrupt"])
        return None

    def _publish(self, worker: str, order: Words) -> list[Words]:
        folder = f"jobs/{order['job_id']}/{order['shard_id']}/{order['attempt']}-{worker}"
        content = order["shard_id"].encode()
        record = {
            "role": "images",
            "name": "images.npy",
            "path": f"{folder}/images.npy",
            "shape": [1, 48, 48],
            "media_type": "application/x-npy",
            "size_bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
        }
        identity = {key: order[key] for key in ("job_id", "shard_id", "attempt")}
        manifest = identity | {"worker": worker, "done": 0, "artifacts": [record]}
        (self._store / folder).mkdir(parents=True, exist_ok=True)
        (self._store / folder / "images.npy").write_bytes(content)
        (self._store / folder / "manifest.json").write_text(json.dumps(manifest))
        return [record]


def say(event: Words) -> None:
    """One event a line."""
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    StandIn().serve()
