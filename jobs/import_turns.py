"""Imports take turns: a small upload can unpack to a gigabyte, and all share one memory."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from jobs.errors import ImportsBusyError

AT_ONCE = 2
PATIENCE_SECONDS = 5.0  # who waits holds a thread that could answer others

_turns = threading.BoundedSemaphore(AT_ONCE)


@contextmanager
def import_turn() -> Iterator[None]:
    """Hold one of this process's turns; a decorator too.

    Raises:
        ImportsBusyError: none was free in time.
    """
    if not _turns.acquire(timeout=PATIENCE_SECONDS):
        raise ImportsBusyError(
            f"{AT_ONCE} imports go on, as many as may at a time, and none ended within "
            f"{PATIENCE_SECONDS:g} s: send this one again",
            at_once=AT_ONCE,
        )
    try:
        yield
    finally:
        _turns.release()
