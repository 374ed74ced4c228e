"""One worker per GPU of this host, each a process that is started again when it dies."""

import logging
import sys
import time
from typing import TextIO

from darkroom.lifeline import lifeline
from darkroom.stop import stop_signals
from darkroom.supervisor import POLL_SECONDS, WORKER_GRACE, Output, Program, Supervisor
from jobs.settings import WorkerSettings, environment_of

log = logging.getLogger(__name__)

STAGE = 0


def run(settings: WorkerSettings, gpus: int, output: TextIO) -> None:
    """Run `gpus` workers until SIGINT or SIGTERM, or until none of them can ever start.

    Raises:
        SystemExit: EX_CONFIG, if each says that its settings can never work.
    """
    supervisor = Supervisor(Output(output))
    with lifeline() as line, stop_signals() as stop:
        try:
            for program in programs(settings, gpus, line):
                supervisor.start(program)
            while not stop.is_asked and not supervisor.has_given_up:
                supervisor.keep_running()
                time.sleep(POLL_SECONDS)
        finally:
            supervisor.stop(lambda: stop.is_urgent)
    if not stop.is_asked:
        sys.exit(supervisor.children[0].process.returncode)


def programs(settings: WorkerSettings, gpus: int, line: int) -> list[Program]:
    """A worker for each GPU; they share the host's cores."""
    argv = [sys.executable, "-m", "darkroom", "--lifeline", str(line), "worker"]
    environment = environment_of(settings.model_copy(update={"host_engines": gpus})) | {
        "PYTHONUNBUFFERED": "1"
    }
    return [
        Program(
            f"gpu-{number}",
            argv,
            STAGE,
            environment | {"DARKROOM_DEVICE": f"cuda:{number}"},
            (line,),
            WORKER_GRACE,
        )
        for number in range(gpus)
    ]
