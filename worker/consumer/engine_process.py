"""The engine as a child process: started, spoken to, watched, and ended when it hangs."""

import collections
import contextlib
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence

import psutil
from pydantic import ValidationError

from jobs.contract import Contract, ErrorInfo
from jobs.settings import WorkerSettings, environment_of
from worker.protocol import EngineEvent, Ready, event_adapter

log = logging.getLogger(__name__)

ENGINE = (sys.executable, "-m", "worker.engine")
STDERR_LINES = 30
EXIT_SECONDS = 5.0


class EngineDiedError(Exception):
    """The engine process ended, or was ended because it hung; `info` says all that is known."""

    def __init__(self, info: ErrorInfo) -> None:
        """Keep what is known."""
        super().__init__(info.message)
        self.info = info


class EngineProcess:
    """One engine, from its start to its end."""

    def __init__(
        self,
        settings: WorkerSettings,
        command: Sequence[str] = ENGINE,
        on_exit: Callable[[], None] = lambda: None,
    ) -> None:
        """Start the process by `command`; `wait_ready` waits until it can work.

        `on_exit` is called in a thread when it has ended.
        """
        self._settings = settings
        self._on_exit = on_exit
        self._events: queue.Queue[EngineEvent | None] = queue.Queue()
        self._stderr: collections.deque[str] = collections.deque(maxlen=STDERR_LINES)
        # Threads that spin at every barrier slow each other 7 times as soon as anything else runs
        # (measured: 489 ms a step instead of 63, on 2 cores beside another busy process).
        environment = {"OMP_WAIT_POLICY": "PASSIVE"} | os.environ | environment_of(settings)
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,  # a terminal's Ctrl-C is for the consumer to handle
        )
        self._memory_bytes = 0
        self._hung_after: float | None = None
        self._readers = [
            threading.Thread(target=self._read_events, name="engine-events", daemon=True),
            threading.Thread(target=self._read_stderr, name="engine-stderr", daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether the process has not ended."""
        return self._process.poll() is None

    def wait_ready(self) -> Ready:
        """Wait until the engine has loaded.

        Raises:
            EngineDiedError: it ended, or took longer than `engine_load_seconds`.
        """
        event = self.next_event(self._settings.engine_load_seconds)
        if not isinstance(event, Ready):
            raise EngineDiedError(self._describe(f"said {event.type!r} before it was ready"))
        return event

    def send(self, command: Contract) -> None:
        """Write one command; a dead engine is noticed by the reader of its events."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            self._process.stdin.write(command.model_dump_json().encode() + b"\n")
            self._process.stdin.flush()

    def next_event(self, silence_seconds: float) -> EngineEvent:
        """Wait for the next event.

        Raises:
            EngineDiedError: the engine ended, or said nothing for `silence_seconds` and was ended.
        """
        event: EngineEvent | None = None
        try:
            event = self._events.get(timeout=silence_seconds)
        except queue.Empty:
            self._hung_after = silence_seconds
            self._note_memory()
            self._process.kill()
            while self._events.get() is not None:  # what it said too late
                pass
        if event is None:
            raise EngineDiedError(self._describe())
        return event

    def end(self) -> None:
        """Close its stdin, at which it exits; kill it if it does not."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for reader in self._readers:
            reader.join(EXIT_SECONDS)
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()

    def _note_memory(self) -> None:
        with contextlib.suppress(psutil.Error):
            self._memory_bytes = psutil.Process(self.pid).memory_info().rss

    def _read_events(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            try:
                event = event_adapter.validate_json(line)
            except ValidationError:
                log.warning("the engine said something unknown: %.200r", line)
                continue
            self._memory_bytes = getattr(event, "memory_bytes", self._memory_bytes)
            self._events.put(event)
        self._events.put(None)
        try:
            self._process.wait(EXIT_SECONDS)
        except subprocess.TimeoutExpired:  # it closed its stdout, but does not end
            self._process.kill()
            self._process.wait()
        self._on_exit()

    def _read_stderr(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            text = line.decode(errors="replace").rstrip()
            self._stderr.append(text)
            with contextlib.suppress(OSError, ValueError):  # nobody reads it: the engine goes on
                sys.stderr.write(f"engine {self.pid}: {text}\n")

    def _describe(self, what: str | None = None) -> ErrorInfo:
        """Say how the engine ended."""
        if what is not None:
            self._process.kill()
        code = self._process.wait()  # the reader of its events sees to it that it ends
        self._readers[1].join(1.0)
        details = {
            "exit_code": code if code >= 0 else None,
            "signal": signal.Signals(-code).name if code < 0 else None,
            "memory_bytes": self._memory_bytes,
            "log": list(self._stderr),
            "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
        if self._hung_after is not None:
            message = f"the engine said nothing for {self._hung_after:g} s and was ended"
            return ErrorInfo(code="engine_hung", message=message, details=details)
        if what is None:
            what = f"was killed by {details['signal']}" if code < 0 else f"exited with {code}"
        if code == -signal.SIGKILL:
            what += "; the machine may have run out of memory"
        return ErrorInfo(code="engine_died", message=f"the engine {what}", details=details)
