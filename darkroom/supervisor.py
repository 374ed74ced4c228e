"""Child processes: started, restarted when they die, ended in order."""

import contextlib
import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import IO, TextIO

from darkroom.options import EX_CONFIG

log = logging.getLogger(__name__)

FIRST_DELAY = 0.2  # s before the first restart; doubled with each one
LONGEST_DELAY = 5.0
STABLE_SECONDS = 10.0  # a child that lived so long starts again after FIRST_DELAY
POLL_SECONDS = 0.05
LAST_LINES_SECONDS = 1.0
WORKER_GRACE = 30.0  # for a worker to save and hand back


@dataclass(frozen=True)
class Program:
    """A program to keep running.

    `stage` orders the end: higher stages are ended first, and waited for, up to `grace` seconds.
    """

    name: str
    argv: list[str]
    stage: int
    environment: Mapping[str, str] = field(default_factory=dict)
    pass_fds: tuple[int, ...] = ()
    grace: float = 10.0


class Output:
    """One text stream that the lines of all children go to, each with its child's name."""

    def __init__(self, stream: TextIO) -> None:
        """Write to `stream`."""
        self._stream = stream
        self._lock = threading.Lock()

    def write(self, name: str, line: str) -> None:
        """Write one whole line."""
        with self._lock, contextlib.suppress(OSError, ValueError):  # a closed terminal ends nobody
            self._stream.write(f"{name:>10} | {line}\n")
            self._stream.flush()


class Child:
    """A program's process, and when to start it again."""

    def __init__(self, program: Program, output: Output) -> None:
        """Start the program in a process group of its own, so that Ctrl-C reaches only us."""
        self.program = program
        self._output = output
        self._delay = FIRST_DELAY
        self._restart_at: float | None = None
        self.has_given_up = False
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        self._started_at = time.monotonic()
        process = subprocess.Popen(
            self.program.argv,
            env={**os.environ, **self.program.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=self.program.pass_fds,
            process_group=0,
        )
        self._pump = threading.Thread(target=self._copy, args=(process.stdout,), daemon=True)
        self._pump.start()
        return process

    def _copy(self, stream: IO[bytes]) -> None:
        with stream:
            for raw in stream:
                self._output.write(self.program.name, raw.decode(errors="replace").rstrip())

    def keep_running(self) -> None:
        """Look once: when the process has died, plan its restart; when that is due, restart.

        One that ended because of its settings is not started again.
        """
        if self.has_given_up:
            return
        now = time.monotonic()
        if self._restart_at is not None:
            if now >= self._restart_at:
                self._try_to_restart()
            return
        status = self.process.poll()
        if status is None:
            return
        if status == EX_CONFIG:
            self.has_given_up = True
            log.error("%s cannot work with its settings and stays ended", self.program.name)
            return
        if now - self._started_at >= STABLE_SECONDS:
            self._delay = FIRST_DELAY
        log.warning(
            "%s (process %d) ended with %s; starting it again in %.1f s",
            self.program.name,
            self.process.pid,
            describe_status(status),
            self._delay,
        )
        self._restart_at = now + self._delay
        self._delay = min(2 * self._delay, LONGEST_DELAY)

    def _try_to_restart(self) -> None:
        self._restart_at = None
        try:
            self.process = self._start()
        except OSError as error:  # no memory, or no process more: that may pass
            self._restart_at = time.monotonic() + LONGEST_DELAY
            log.error("cannot start %s: %s; it is tried again", self.program.name, error)

    def signal(self, number: int) -> None:
        """Send a signal to the process, if it lives."""
        if self.process.poll() is None:
            self.process.send_signal(number)

    def kill(self) -> None:
        """End the process and all that it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._pump.join(LAST_LINES_SECONDS)


class Supervisor:
    """The children of `darkroom up`."""

    def __init__(self, output: Output) -> None:
        """Nothing runs yet."""
        self._output = output
        self.children: list[Child] = []

    def start(self, program: Program) -> None:
        """Start a program and keep it running from now on."""
        self.children.append(Child(program, self._output))

    @property
    def has_given_up(self) -> bool:
        """Whether no child will ever run again."""
        return all(child.has_given_up for child in self.children)

    def keep_running(self) -> None:
        """Look once after every child."""
        for child in self.children:
            child.keep_running()

    def stop(self, is_urgent: Callable[[], bool]) -> None:
        """End all, the highest stage first; a child that takes too long is killed.

        Args:
            is_urgent: while true, nobody is waited for.
        """
        for stage in sorted({child.program.stage for child in self.children}, reverse=True):
            members = [child for child in self.children if child.program.stage == stage]
            self._stop_stage(members, is_urgent)

    def _stop_stage(self, children: list[Child], is_urgent: Callable[[], bool]) -> None:
        started_at = time.monotonic()
        for child in children:
            child.signal(signal.SIGTERM)
        for child in children:
            deadline = started_at + child.program.grace
            while child.process.poll() is None and not is_urgent():
                if time.monotonic() >= deadline:
                    log.warning("%s did not end in time and is killed", child.program.name)
                    break
                time.sleep(POLL_SECONDS)
            child.kill()


def describe_status(status: int) -> str:
    """`exit code 3`, or `signal SIGKILL` for a process that a signal ended."""
    if status >= 0:
        return f"exit code {status}"
    try:
        return f"signal {signal.Signals(-status).name}"
    except ValueError:
        return f"signal {-status}"
