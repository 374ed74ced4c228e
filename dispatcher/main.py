"""`darkroom dispatcher`: one at a time per database; a second one waits."""

import contextlib
import logging
import signal

from sqlalchemy import make_url
from sqlalchemy.exc import SQLAlchemyError

from dispatcher.dispatcher import Dispatcher
from dispatcher.lock import DispatcherLock, lock_of
from dispatcher.stop import Stop
from jobs.logs import configure_logging
from jobs.settings import DispatcherSettings

log = logging.getLogger(__name__)

LOCK_POLL_SECONDS = 0.5
DATABASE_RETRY_SECONDS = 1.0


def run(settings: DispatcherSettings) -> None:
    """Dispatch until SIGTERM or SIGINT."""
    configure_logging(settings.log_level)
    stop = Stop()
    signal.signal(signal.SIGTERM, stop.ask)
    signal.signal(signal.SIGINT, stop.ask)
    dispatch(settings, stop)


def dispatch(settings: DispatcherSettings, stop: Stop) -> None:
    """Wait for the lock of the database, then dispatch while it is held, until `stop`."""
    lock = lock_of(settings.database_url)
    try:
        while not stop.is_asked:
            try:
                if _acquire(lock, stop):
                    _dispatch(settings, lock, stop)
            except SQLAlchemyError:  # it does not answer, or is not migrated
                log.exception("the database refused; trying again")
                stop.wait(DATABASE_RETRY_SECONDS)
    finally:
        lock.release()


def _acquire(lock: DispatcherLock, stop: Stop) -> bool:
    if lock.try_acquire():
        return True
    log.info("another dispatcher runs: waiting")
    while not stop.wait(LOCK_POLL_SECONDS):
        if lock.try_acquire():
            return True
    return False


def _dispatch(settings: DispatcherSettings, lock: DispatcherLock, stop: Stop) -> None:
    """Dispatch until `stop`, or until the lock is lost: another may have worked meanwhile."""
    with contextlib.closing(Dispatcher(settings)) as dispatcher:
        log.info("dispatching %s", make_url(settings.database_url).render_as_string())
        while not stop.is_asked:
            if not lock.is_held():
                log.warning("the lock of the database is lost: waiting for it")
                return
            try:
                dispatcher.run_pass()
            except SQLAlchemyError as error:  # locked or out of space: nothing was acknowledged
                log.warning("the database refused; trying again", exc_info=error)
                stop.wait(DATABASE_RETRY_SECONDS)
