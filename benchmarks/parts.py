"""The parts of a system, each started by itself: for benchmarks that replace or watch one."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from darkroom.embedded_redis import EmbeddedRedis
from darkroom.schema import migrate
from jobs.service import JobService, open_service
from jobs.settings import WebSettings

T = TypeVar("T")


def wait_for(ask: Callable[[], T | None], seconds: float, what: str) -> T:
    """The first true answer."""
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:g} s in vain for {what}")
        time.sleep(0.2)
    return answer


class Parts:
    """A database, a Redis and a folder of the benchmark's own; programs end with the context."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        redis = EmbeddedRedis(folder / "redis")
        self.settings = WebSettings(
            redis_url=redis.url,
            database_url=f"sqlite:///{folder / 'data' / 'darkroom.sqlite'}",
            artifacts_url=str(folder / "artifacts"),
            port=0,
            **settings,
        )
        self._log = (folder / "programs.log").open("ab")
        self._programs: list[subprocess.Popen[bytes]] = []
        migrate(self.settings.database_url)
        self._start(redis.prepare(), {})
        self.service: JobService = open_service(self.settings)
        wait_for(self.service.broker_is_reachable, 20, "Redis")

    def __enter__(self) -> "Parts":
        return self

    def __exit__(self, *_: object) -> None:
        for program in reversed(self._programs):
            program.terminate()
            try:
                program.wait(40)
            except subprocess.TimeoutExpired:
                program.kill()
                program.wait()
        self._log.close()

    def start(self, *arguments: str, **environment: Any) -> "subprocess.Popen[bytes]":
        """Start `python -m ARGUMENTS` with the settings in its environment."""
        return self._start([sys.executable, "-m", *arguments], environment)

    def _start(self, command: list[str], environment: dict[str, Any]) -> "subprocess.Popen[bytes]":
        known = self.settings.model_dump(include={"redis_url", "database_url", "artifacts_url"})
        named = {f"DARKROOM_{k.upper()}": str(v) for k, v in (known | environment).items()}
        program = subprocess.Popen(
            command, env=os.environ | named, stdout=self._log, stderr=self._log
        )
        self._programs.append(program)
        return program
