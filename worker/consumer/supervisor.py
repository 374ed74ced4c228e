"""Runs shards on the engine, one at a time, and starts a new engine when one dies."""

import base64
import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from jobs.messages import ReportStatus, ShardOrder
from jobs.settings import WorkerSettings
from worker.consumer.desk import Attempt, ReportDesk
from worker.consumer.engine_process import ENGINE, EngineDiedError, EngineProcess
from worker.consumer.vital import vital_thread
from worker.protocol import (
    EngineEvent,
    Failed,
    Finished,
    Interrupt,
    InterruptCommand,
    Interrupted,
    PreviewMade,
    RunCommand,
    Warm,
    Working,
)

log = logging.getLogger(__name__)

RESTART_PAUSES = (0.0, 1.0, 5.0, 15.0, 60.0)  # s before an engine is started, by early deaths
STABLE_SECONDS = 60.0  # an engine that lived so long did not die early

PreviewSink = Callable[[str, int, bytes], None]  # (shard id, version, PNG)


class Supervisor:
    """Owns the engine of this worker."""

    def __init__(
        self,
        settings: WorkerSettings,
        worker: str,
        desk: ReportDesk,
        preview_sink: PreviewSink,
        engine: Sequence[str] = ENGINE,
    ) -> None:
        """Report to `desk`, give previews to `preview_sink`, and start engines by that command."""
        self._settings = settings
        self._command = engine
        self._worker = worker
        self._desk = desk
        self._preview_sink = preview_sink
        self._changed = threading.Condition()  # guards the fields below
        self._engine: EngineProcess | None = None  # one that was ready
        self._attempt: Attempt | None = None
        self._interrupt: Interrupt | None = None
        self._is_closing = False
        self._early_deaths = 0  # in a row, of engines that did not start, or died idle early
        self._ready_at = 0.0
        self.capabilities: dict[str, Any] = {}
        self._keeper = vital_thread(self._keep_engine, "engine-keeper")

    def start(self) -> None:
        """Start the engine, in the background."""
        self._keeper.start()

    @property
    def is_ready(self) -> bool:
        """Whether an engine waits for work or works."""
        return self._engine is not None and not self._is_closing

    @property
    def engine_pid(self) -> int | None:
        """Process id of an engine that was ready, or None."""
        engine = self._engine
        return engine.pid if engine is not None else None

    def _keep_engine(self) -> None:
        """Whenever there is no engine, start one."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._needs_engine or self._is_closing)
                dead = None if self._is_closing else self._engine
            if dead is not None:
                self._replace_idle(dead)
            with self._changed:
                pause = RESTART_PAUSES[min(self._early_deaths, len(RESTART_PAUSES) - 1)]
                if self._changed.wait_for(lambda: self._is_closing, pause):
                    return
            try:
                self._start_engine()
            except (EngineDiedError, OSError) as error:
                log.error("the engine did not start: %s", error)
                with self._changed:
                    self._early_deaths += 1

    @property
    def _needs_engine(self) -> bool:
        """Whether there is none, or a dead one that nobody follows."""
        return self._engine is None or (self._attempt is None and not self._engine.is_alive)

    def _replace_idle(self, engine: EngineProcess) -> None:
        """Have a new engine started for one that died while it had nothing to do."""
        with self._changed:
            if self._engine is not engine:  # keeper and shard may both have seen it
                return
            is_early = time.monotonic() - self._ready_at < STABLE_SECONDS
            self._early_deaths = self._early_deaths + 1 if is_early else 0
            self._replace(engine)
        log.warning("the engine died while it had nothing to do")
        engine.end()
        self._desk.wake()  # no slot is free until there is another

    def _notify(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _start_engine(self) -> None:
        engine = EngineProcess(self._settings, self._command, self._notify)
        try:
            ready = engine.wait_ready()
        except EngineDiedError:
            engine.end()
            raise
        with self._changed:
            is_wanted = not self._is_closing
            if is_wanted:
                self._engine = engine
                self._ready_at = time.monotonic()
                self.capabilities = ready.capabilities
                self._changed.notify_all()
        if not is_wanted:
            engine.end()
            return
        log.info("engine %d is ready: %s", engine.pid, ready.capabilities)
        self._desk.wake()

    def run(self, order: ShardOrder) -> None:
        """Run one shard to its end, whatever that is; the desk is told."""
        attempt = (order.shard_id, order.attempt)
        with self._changed:
            self._attempt = attempt  # from here on `stop` and `hand_back` find it
            self._interrupt = Interrupt.RETURN if self._is_closing else None
        try:
            if self._desk.begin(order):
                with self._desk.until_left(attempt):
                    self._run(order, attempt)
        finally:
            with self._changed:
                self._attempt = None
                self._changed.notify_all()  # the engine may have died since it was done

    def _run(self, order: ShardOrder, attempt: Attempt) -> None:
        engine = self._give(order)
        if engine is None and self._interrupt is Interrupt.STOP:
            self._desk.drop(attempt)
        elif engine is None:
            self._desk.update(attempt, status=ReportStatus.RETURNED)
        else:
            try:
                self._follow(engine, attempt)
            except EngineDiedError as death:
                self._bury(engine, attempt, death)

    def _give(self, order: ShardOrder) -> EngineProcess | None:
        """Give the shard to a living engine; None if there is none, or it is not to be run."""
        with self._changed:
            dead = self._engine
        if dead is not None and not dead.is_alive:
            self._replace_idle(dead)
        with self._changed:
            self._changed.wait_for(
                lambda: self._engine is not None or self._interrupt is not None,
                self._settings.engine_load_seconds,
            )
            if self._interrupt is None and self._engine is not None:
                self._early_deaths = 0
                self._engine.send(RunCommand(worker=self._worker, order=order))
                return self._engine
        return None

    def _replace(self, engine: EngineProcess) -> None:
        """Offer this engine no more, and have a new one started."""
        with self._changed:
            if self._engine is engine:
                self._engine = None
            self._changed.notify_all()

    def _follow(self, engine: EngineProcess, attempt: Attempt) -> None:
        """Report what the engine says until the attempt has ended."""
        silence = self._settings.engine_load_seconds
        previews = 0
        while True:
            event = engine.next_event(silence)
            if isinstance(event, Working):
                silence = self._settings.engine_silence_seconds  # loaded and warm
                self._desk.update(
                    attempt,
                    done=event.done,
                    saved_step=event.saved_step,
                    curves=event.curves,
                    notice=event.notice,
                )
            elif isinstance(event, PreviewMade):
                previews += 1
                version = attempt[1] * 1_000_000 + previews
                self._preview_sink(attempt[0], version, base64.b64decode(event.png_base64))
                self._desk.update(attempt, preview_version=version)
            elif isinstance(event, Warm):
                self.capabilities = self.capabilities | {"warm": event.checkpoints}
            elif self._has_ended(event, attempt):
                return

    def _has_ended(self, event: EngineEvent, attempt: Attempt) -> bool:
        if isinstance(event, Finished):
            self._desk.update(
                attempt,
                status=ReportStatus.SUCCEEDED,
                done=event.done,
                saved_step=event.saved_step,
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

    def _bury(self, engine: EngineProcess, attempt: Attempt, death: EngineDiedError) -> None:
        """Report the loss with all that is known, and have a new engine started."""
        self._replace(engine)
        engine.end()
        if self._interrupt is Interrupt.STOP:
            self._desk.drop(attempt)
            return
        log.error("shard %s lost its engine: %s", attempt[0], death.info.message)
        facts = self._desk.facts(attempt) | {"worker": self._worker, "attempt": attempt[1]}
        error = death.info.model_copy(update={"details": death.info.details | facts})
        self._desk.update(attempt, status=ReportStatus.LOST, error=error)

    def stop(self, attempt: Attempt) -> None:
        """This attempt counts no more."""
        with self._changed:
            if self._attempt == attempt:
                self._break_off(Interrupt.STOP)
            else:
                self._desk.drop(attempt)

    def hand_back(self) -> None:
        """Take no more work; what runs is saved and handed back."""
        with self._changed:
            self._is_closing = True
            if self._attempt is not None and self._interrupt is None:
                self._break_off(Interrupt.RETURN)
            self._changed.notify_all()
        self._desk.wake()

    def _break_off(self, interrupt: Interrupt) -> None:
        self._interrupt = interrupt
        if self._engine is not None:
            self._engine.send(InterruptCommand(interrupt=interrupt))
        self._changed.notify_all()

    def close(self) -> None:
        """End the engine."""
        with self._changed:
            self._is_closing = True
            engine, self._engine = self._engine, None
            self._changed.notify_all()
        if engine is not None:
            engine.end()
