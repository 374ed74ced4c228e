"""`darkroom dispatcher`: one at a time per database; a second one waits."""

import logging
import signal
import threading
from pathlib import Path
from types import FrameType

from filelock import FileLock, Timeout
from sqlalchemy import make_url
from sqlalchemy.exc import SQLAlchemyError

from dispatcher.dispatcher import Dispatcher
from jobs.logs import configure_logging
from jobs.redis_access import masked
from jobs.settings import DispatcherSettings

log = logging.getLogger(__name__)

LOCK_POLL_SECONDS = 0.5
DATABASE_RETRY_SECONDS = 1.0


def run(settings: DispatcherSettings) -> None:
    """Dispatch until SIGTERM or SIGINT."""
    configure_logging(settings.log_level)
    stop = threading.Event()

    def _stop(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    dispatch(settings, stop)


def dispatch(settings: DispatcherSettings, stop: threading.Event) -> None:
    """Wait for the lock of the database, then dispatch until `stop`."""
    lock = FileLock(lock_path(settings.database_url))
    if not _acquire(lock, stop):
        return
    try:
        dispatcher = Dispatcher(settings)
        log.info("dispatching %s", masked(settings.database_url))
        while not stop.is_set():
            try:
                dispatcher.run_pass()
            except SQLAlchemyError:  # locked or out of space: nothing was acknowledged
                log.exception("the database refused; trying again")
                stop.wait(DATABASE_RETRY_SECONDS)
        dispatcher.close()
    finally:
        lock.release()


def _acquire(lock: FileLock, stop: threading.Event) -> bool:
    said = False
    while not stop.is_set():
        try:
            lock.acquire(timeout=LOCK_POLL_SECONDS)
        except Timeout:
            if not said:
                log.info("another dispatcher runs: waiting")
                said = True
        else:
            return True
    return False


def lock_path(database_url: str) -> Path:
    """The file that only one dispatcher can lock, beside the SQLite file."""
    path = Path(f"{make_url(database_url).database}.dispatcher.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
