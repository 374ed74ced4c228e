"""Many real consumers with stand-in engines: `python -m benchmarks.stand_in_workers COUNT`.

Each is a process of its own and exactly what `darkroom worker` runs, but forked from one that has
imported everything: 64 imports of Celery would take minutes and gigabytes. They read the settings
of `darkroom worker` from the environment, and end with this process.
"""

import os
import signal
import sys
from pathlib import Path
from types import FrameType

from jobs.settings import WorkerSettings
from worker.consumer.main import run

ENGINE = (sys.executable, "-I", "-S", str(Path(__file__).parent / "stand_in_engine.py"))


def serve(count: int) -> None:
    """Fork the consumers, and wait for a signal."""
    children = []
    for _ in range(count):
        child = os.fork()
        if child == 0:
            run(WorkerSettings(), ENGINE)
            os._exit(0)
        children.append(child)

    def end(_signal: int, _frame: FrameType | None) -> None:
        for child in children:
            os.kill(child, signal.SIGTERM)

    signal.signal(signal.SIGTERM, end)
    for child in children:
        os.waitpid(child, 0)


if __name__ == "__main__":
    serve(int(sys.argv[1]))
