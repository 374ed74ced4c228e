"""Threads without which a consumer is worth nothing."""

import logging
import os
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)

EXIT_BROKEN = 71


def vital_thread(work: Callable[[], None], name: str) -> threading.Thread:
    """A thread whose failure ends the consumer: its supervisor shall start another one."""
    return threading.Thread(target=_end_with, args=(work,), name=name, daemon=True)


def _end_with(work: Callable[[], None]) -> None:
    try:
        work()
    except BaseException:
        name = threading.current_thread().name
        log.critical("thread %s broke: this consumer ends itself", name, exc_info=True)
        os._exit(EXIT_BROKEN)  # the engine ends when its stdin closes
