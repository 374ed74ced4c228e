"""Runs shards on the engine, one at a time, and starts a new engine when one dies."""

import base64
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from jobs.contract import ErrorInfo
from jobs.messages import ReportStatus, ShardOrder
from jobs.settings import WorkerSettings
from worker.consumer.desk import Attempt, ReportDesk
from worker.consumer.engine_process import EngineDiedError, EngineProcess
from worker.protocol import (
    EngineEvent,
    Failed,
    Finished,
    Interrupt,
    InterruptCommand,
    Interrupted,
    PreviewMade,
    RunCommand,
    Working,
)

log = logging.getLogger(__name__)

RESTART_PAUSES = (0.0, 1.0, 5.0, 15.0, 60.0)  # before an engine is started anew, by deaths in a row

PreviewSink = Callable[[str, int, bytes], None]  # (shard id, version, PNG)


class Supervisor:
    """Owns the engine of this worker."""

    def __init__(
        self, settings: WorkerSettings, worker: str, desk: ReportDesk, preview_sink: PreviewSink
    ) -> None:
        """Report to `desk` and give previews to `preview_sink`."""
        self._settings = settings
        self._worker = worker
        self._desk = desk
        self._preview_sink = preview_sink
        self._lock = threading.Lock()  # guards the fields below
        self._engine: EngineProcess | None = None
        self._attempt: Attempt | None = None
        self._interrupt: Interrupt | None = None
        self._is_closing = False
        self._wanted = threading.Event()
        self._wanted.set()
        self._ready = threading.Event()
        self.capabilities: dict[str, Any] = {}
        self._keeper = threading.Thread(target=self._keep_engine, name="engine-keeper", daemon=True)

    def start(self) -> None:
        """Start the engine, in the background."""
        self._keeper.start()

    @property
    def is_ready(self) -> bool:
        """Whether an engine waits for work or works."""
        return self._ready.is_set() and not self._is_closing

    @property
    def engine_pid(self) -> int | None:
        """Process id of the engine."""
        engine = self._engine
        return engine.pid if engine else None

    def _keep_engine(self) -> None:
        """Whenever an engine is wanted and none is there, start one."""
        deaths = 0
        while True:
            self._wanted.wait()
            self._wanted.clear()
            if self._is_closing:
                return
            time.sleep(RESTART_PAUSES[min(deaths, len(RESTART_PAUSES) - 1)])
            engine = EngineProcess(self._settings)
            try:
                ready = engine.wait_ready()
            except EngineDiedError as death:
                log.error("the engine did not start: %s", death)
                engine.end()
                deaths += 1
                self._wanted.set()
                continue
            deaths = 0
            with self._lock:
                if self._is_closing:
                    engine.end()
                    return
                self._engine = engine
                self.capabilities = ready.capabilities
            self._ready.set()
            log.info("engine %d is ready: %s", engine.pid, ready.capabilities)
            self._desk.wake()

    def run(self, order: ShardOrder) -> None:
        """Run one shard to its end, whatever that is; the desk is told."""
        attempt = (order.shard_id, order.attempt)
        if self._is_closing or not self._desk.begin(order):
            return
        with self._desk.until_left(attempt):
            self._ready.wait(self._settings.engine_load_seconds)
            with self._lock:
                engine = self._engine
                self._attempt, self._interrupt = attempt, None
            try:
                if engine is None:
                    raise EngineDiedError(
                        ErrorInfo(code="engine_died", message="no engine could be started")
                    )
                engine.send(RunCommand(worker=self._worker, order=order))
                self._follow(engine, attempt)
            except EngineDiedError as death:
                self._bury(engine, attempt, death)
            finally:
                with self._lock:
                    self._attempt = None

    def _follow(self, engine: EngineProcess, attempt: Attempt) -> None:
        """Report what the engine says until the attempt has ended."""
        silence = self._settings.engine_load_seconds
        previews = 0
        while True:
            event = engine.next_event(silence)
            if isinstance(event, Working):
                silence = self._settings.engine_silence_seconds  # loaded and warm
                self._desk.update(attempt, done=event.done, saved_step=event.saved_step)
            elif isinstance(event, PreviewMade):
                previews += 1
                version = attempt[1] * 1_000_000 + previews
                self._preview_sink(attempt[0], version, base64.b64decode(event.png_base64))
                self._desk.update(attempt, preview_version=version)
            elif self._has_ended(event, attempt):
                return

    def _has_ended(self, event: EngineEvent, attempt: Attempt) -> bool:
        if isinstance(event, Finished):
            self._desk.update(
                attempt,
                status=ReportStatus.SUCCEEDED,
                done=event.done,
                artifacts=event.artifacts,
            )
        elif isinstance(event, Failed):
            log.warning("shard %s failed: %s", attempt[0], event.error.message)
            self._desk.update(attempt, status=ReportStatus.FAILED, error=event.error)
        elif isinstance(event, Interrupted) and event.interrupt is Interrupt.RETURN:
            self._desk.update(attempt, status=ReportStatus.RETURNED, saved_step=event.saved_step)
        elif isinstance(event, Interrupted):
            self._desk.drop(attempt)
        else:
            return False
        return True

    def _bury(self, engine: EngineProcess | None, attempt: Attempt, death: EngineDiedError) -> None:
        """Report the loss, and have a new engine started."""
        self._ready.clear()
        with self._lock:
            self._engine = None
            interrupt = self._interrupt
        if interrupt is Interrupt.STOP:
            self._desk.drop(attempt)
        else:
            log.error("shard %s lost its engine: %s", attempt[0], death.info.message)
            details = death.info.details | {"worker": self._worker, "attempt": attempt[1]}
            error = death.info.model_copy(update={"details": details})
            self._desk.update(attempt, status=ReportStatus.LOST, error=error)
        if engine is not None:
            engine.end()
        self._wanted.set()

    def stop(self, attempt: Attempt) -> None:
        """This attempt counts no more."""
        with self._lock:
            engine = self._engine
            if self._attempt == attempt and engine is not None:
                self._interrupt = Interrupt.STOP
                engine.send(InterruptCommand(interrupt=Interrupt.STOP))
                return
        self._desk.drop(attempt)

    def hand_back(self) -> None:
        """Take no more work; what runs is saved and handed back."""
        with self._lock:
            self._is_closing = True
            if self._engine is not None and self._attempt is not None:
                self._interrupt = Interrupt.RETURN
                self._engine.send(InterruptCommand(interrupt=Interrupt.RETURN))
        self._desk.wake()

    def close(self) -> None:
        """End the engine."""
        with self._lock:
            self._is_closing = True
            engine, self._engine = self._engine, None
        self._wanted.set()
        if engine is not None:
            engine.end()
