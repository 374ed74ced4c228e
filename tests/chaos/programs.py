"""The programs of a whole system as processes, each started again whenever it has died."""

import os
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import psutil

WORKER_LINE = re.compile(r"\bworker (\S+-[0-9a-f]{8})$", re.MULTILINE)
POLL_SECONDS = 0.05
END_SECONDS = 30.0


class KeptProgram:
    """One `darkroom` program; whoever kills it finds another in its place soon."""

    def __init__(
        self, name: str, command: list[str], environment: Mapping[str, str], folder: Path, line: int
    ) -> None:
        """Start it; `line` is the lifeline with which it ends."""
        self.name = name
        self._command = command
        self._environment = environment
        self._folder = folder
        self._line = line
        self._lock = threading.Lock()
        self._is_kept = True
        self.exits: Counter[int] = Counter()
        self._starts = 0
        self._process = self._start()
        self._keeper = threading.Thread(target=self._keep, name=f"keeper of {name}", daemon=True)
        self._keeper.start()

    def _start(self) -> "subprocess.Popen[bytes]":
        self._starts += 1
        self.log = self._folder / f"{self.name}-{self._starts:03}.log"
        with self.log.open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "darkroom", "--lifeline", str(self._line), *self._command],
                env=os.environ | self._environment,
                pass_fds=[self._line],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def _keep(self) -> None:
        while self._is_kept:
            with self._lock:
                code = self._process.poll()
                if code is not None and self._is_kept:
                    self.exits[code] += 1
                    self._process = self._start()
            time.sleep(POLL_SECONDS)

    def kill(self) -> bool:
        """SIGKILL; False if it is just being started again."""
        with self._lock:
            if self._process.poll() is not None:
                return False
            self._process.kill()
            return True

    def kill_engine(self) -> bool:
        """SIGKILL the engine of this worker; False if it has none now."""
        with self._lock:
            try:
                children = psutil.Process(self._process.pid).children()
                engines = [c for c in children if "worker.engine" in " ".join(c.cmdline())]
                for engine in engines:
                    engine.kill()
            except psutil.NoSuchProcess:
                return False
            return bool(engines)

    @property
    def worker(self) -> str | None:
        """The id of this worker as long as it runs; None until it has told it."""
        with self._lock:
            found = WORKER_LINE.findall(self.log.read_text(errors="replace"))
            return found[-1] if found else None

    def close(self) -> None:
        """End it for good."""
        self._is_kept = False
        self._keeper.join()
        if self._process.poll() is None:
            self._process.terminate()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
