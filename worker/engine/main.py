"""The engine's loop: one shard after the other, until stdin closes."""

import logging
import os
import queue
import sys
import threading
from typing import BinaryIO, NoReturn

from pydantic import ValidationError

from jobs.artifacts import ArtifactStore
from jobs.contract import Contract, ErrorInfo
from jobs.logs import configure_logging
from jobs.messages import ShardOrder
from jobs.settings import WorkerSettings
from worker.engine.device import Device
from worker.engine.models import Models
from worker.engine.patient_store import (
    LONGEST_PAUSE_SECONDS,
    PatientStore,
    is_full_disk,
    pause_for,
)
from worker.engine.runners import INTERNAL_ERROR, Runner, make_runners, offered_kinds
from worker.engine.shard import InterruptedShard, MadeFile, ShardRun
from worker.protocol import (
    Failed,
    Finished,
    Interrupt,
    InterruptCommand,
    Interrupted,
    Ready,
    RunCommand,
    Warm,
    command_adapter,
)

log = logging.getLogger(__name__)


class Engine:
    """Runs shards on one device."""

    def __init__(self, settings: WorkerSettings, events: BinaryIO) -> None:
        """Say events to `events`, one JSON object a line."""
        self._settings = settings
        self._events = events
        self._speaking = threading.Lock()
        store = ArtifactStore(settings.artifacts_url, settings.artifacts_key)
        self._artifacts = PatientStore(store)
        self._commands: queue.Queue[RunCommand] = queue.Queue()
        self._interrupt: Interrupt | None = None
        self._device = Device.choose(settings)
        self._models = Models(self._artifacts, self._device)
        self._runners = make_runners(self._artifacts, self._device, self._models)

    def say(self, event: Contract) -> None:
        """Write one event, whichever thread says it; where nobody hears it, the process ends.

        It ends at once, lest a broken pipe be taken for the shard's own failure.
        """
        with self._speaking:
            try:
                self._events.write(event.model_dump_json().encode() + b"\n")
                self._events.flush()
            except BrokenPipeError:
                leave()

    def run(self) -> None:
        """Serve commands; the process ends when stdin does."""
        threading.Thread(target=self._read_commands, name="commands", daemon=True).start()
        self._device.warm_up()
        kinds = offered_kinds(self._runners, self._settings.kinds)
        self.say(Ready(capabilities=self._device.capabilities() | {"kinds": kinds}))
        while True:
            command = self._commands.get()
            self._run_shard(command.worker, command.order)

    def _read_commands(self) -> None:
        for line in sys.stdin.buffer:
            try:
                command = command_adapter.validate_json(line)
            except ValidationError as error:
                log.error("a command cannot be understood: %s", error)
                continue
            if isinstance(command, InterruptCommand):
                self._interrupt = command.interrupt
            else:
                self._interrupt = None
                self._commands.put(command)
        leave()

    def _run_shard(self, worker: str, order: ShardOrder) -> None:
        shard = ShardRun(
            worker=worker,
            order=order,
            artifacts=self._artifacts,
            settings=self._settings,
            say=self.say,
            interrupt=lambda: self._interrupt,
        )
        log.info("shard %s, attempt %d: %s", order.shard_id, order.attempt, order.work.kind)
        runner = self._runners[order.work.kind]
        try:
            with self._artifacts.serving(shard):
                done, artifacts = shard.publish(run_with_room(runner, shard))
            self.say(Warm(checkpoints=self._models.warm))  # before the slot is free
            self.say(Finished(done=done, saved_step=shard.saved_step, artifacts=artifacts))
        except InterruptedShard as broken_off:
            self.say(Interrupted(interrupt=broken_off.interrupt, saved_step=broken_off.saved_step))
        except Exception as error:
            code, message = runner.describe_failure(error)
            if code == INTERNAL_ERROR:
                log.exception("shard %s failed", order.shard_id)
            details = {"shard": order.shard_id, "attempt": order.attempt}
            self.say(Failed(error=ErrorInfo(code=code, message=message, details=details)))


def leave() -> NoReturn:
    """End the process as it stands: its consumer is gone, and another worker has the shard."""
    os._exit(0)


def run_with_room(runner: Runner, shard: ShardRun) -> list[MadeFile]:
    """Run a shard; while a disk of this computer is full, wait, and go on from what is saved.

    Raises:
        InterruptedShard: the consumer asked for it.
        Exception: the runner's; the shard would fail again.
    """
    while True:
        try:
            return runner.run(shard, shard.order.work)
        except Exception as error:
            if not is_full_disk(error):
                raise
            log.warning("shard %s waits for room: %s", shard.order.shard_id, error)
            pause_for(shard, f"room on its disk: {error}", LONGEST_PAUSE_SECONDS)


def run() -> None:
    """Serve the consumer that started this process."""
    settings = WorkerSettings()
    # Whatever else prints must not come between the events.
    events = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    configure_logging(settings.log_level)
    Engine(settings, events).run()
