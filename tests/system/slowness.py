"""Engines that take their time, so that a job is not over before it is disturbed."""

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import psutil

PERIOD_SECONDS = 0.4


@contextlib.contextmanager
def slowed(*workers: Any, share: float = 0.1, then_stopped: bool = False) -> Iterator[None]:
    """Let these workers' engines run only for a share of the time, on any computer.

    After it they run at full speed again, or not at all until somebody resumes or kills them.
    """
    engines = [worker.engine() for worker in workers]
    has_ended = threading.Event()

    def slow_down() -> None:
        while not has_ended.is_set():
            _all(engines, "suspend")
            has_ended.wait(PERIOD_SECONDS * (1 - share))
            _all(engines, "resume")
            has_ended.wait(PERIOD_SECONDS * share)
        _all(engines, "suspend" if then_stopped else "resume")

    thread = threading.Thread(target=slow_down)
    thread.start()
    try:
        yield
    finally:
        has_ended.set()
        thread.join()


def _all(engines: list[psutil.Process], action: str) -> None:
    for engine in engines:
        with contextlib.suppress(psutil.NoSuchProcess):  # it was killed, as was meant
            getattr(engine, action)()
