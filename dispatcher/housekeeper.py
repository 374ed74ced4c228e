"""The dispatcher's housekeeping: a thread of its own, since the artifact store may be slow.

Nothing here is on any job's way. Whatever it leaves undone, `jobs.sweeping` finds later.
"""

import logging
import os
import queue
import socket
import threading
import time
from datetime import UTC, datetime

from sqlalchemy.exc import SQLAlchemyError

from jobs import __version__
from jobs.artifacts import STATE_NAME, ArtifactStore, shard_folder
from jobs.database import Database
from jobs.errors import ArtifactStoreError
from jobs.facts import DISPATCHER, keep_fact
from jobs.sweeping import Sweeper

log = logging.getLogger(__name__)

ALIVE_SECONDS = 10.0  # between two words that the dispatcher lives
SWEEP_SECONDS = 30.0


class Housekeeper:
    """Tidies up after shards, says that the dispatcher lives, and sweeps."""

    def __init__(self, database: Database, artifacts: ArtifactStore, keep_days: int) -> None:
        """Begin at once, in the background."""
        self._database = database
        self._artifacts = artifacts
        self._sweeper = Sweeper(database, artifacts, keep_days)
        self._succeeded: queue.SimpleQueue[tuple[str, str, str] | None] = queue.SimpleQueue()
        self._is_closed = threading.Event()
        self._thread = threading.Thread(target=self._keep_house, name="housekeeper", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Begin nothing more; what goes on may be broken off with the process."""
        self._is_closed.set()
        self._succeeded.put(None)
        self._thread.join(1.0)

    def tidy(self, job_id: str, shard_id: str, kept: str) -> None:
        """This shard has succeeded: of its folders, only `kept` is needed, without its states."""
        self._succeeded.put((job_id, shard_id, kept))

    def _keep_house(self) -> None:
        next_word = next_sweep = time.monotonic()
        while not self._is_closed.is_set():
            try:
                if time.monotonic() >= next_word:
                    next_word = time.monotonic() + ALIVE_SECONDS
                    self._say_alive()
                if time.monotonic() >= next_sweep:
                    next_sweep = time.monotonic() + SWEEP_SECONDS
                    self._sweeper.step()
                self._tidy_next(max(0.0, min(next_word, next_sweep) - time.monotonic()))
            except (ArtifactStoreError, SQLAlchemyError) as error:
                log.warning("housekeeping is put off: %s", error)
            except Exception:  # jobs do not depend on it
                log.exception("housekeeping failed")

    def _say_alive(self) -> None:
        fact = {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "version": __version__,
            "said_at": datetime.now(UTC).isoformat(),
        }
        with self._database.write() as session:
            keep_fact(session, DISPATCHER, fact)

    def _tidy_next(self, seconds: float) -> None:
        try:
            found = self._succeeded.get(timeout=seconds)
        except queue.Empty:
            return
        if found is None:
            return
        job_id, shard_id, kept = found
        keep_only(self._artifacts, job_id, shard_id, kept)


def keep_only(artifacts: ArtifactStore, job_id: str, shard_id: str, kept: str) -> None:
    """Delete all of a shard but the results in `kept`: of the holder whose success is recorded.

    Saved states go only now: whatever became of the attempts, one could always be gone on from.

    Raises:
        ArtifactStoreError: the store does not answer.
    """
    folder = shard_folder(job_id, shard_id)
    for name in artifacts.names(folder):
        if f"{folder}/{name}" != kept:
            artifacts.delete(f"{folder}/{name}")
    for name in artifacts.names(kept):
        if STATE_NAME.fullmatch(name):
            artifacts.delete(f"{kept}/{name}")
