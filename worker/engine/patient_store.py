"""The artifact store as the engine has it: while it does not answer, a shard waits and says so.

A store that is full, read-only or out of reach fails no shard: what was asked of it is asked again
until it is served. What it says for good (there is no such file) is passed on at once.
"""

import errno
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TypeVar

from jobs.artifacts import ArtifactStore
from jobs.errors import ArtifactStoreError
from worker.engine.shard import ASK_SECONDS, ShardRun

FIRST_PAUSE_SECONDS = 0.5  # between two tries; doubles with each
LONGEST_PAUSE_SECONDS = 5.0
SLOW_SECONDS = 10.0  # an answer that takes so long is spoken of
FULL = (errno.ENOSPC, errno.EDQUOT)
FULL_WORDS = ("No space left on device", "os error 28")  # of libraries that hide the number

T = TypeVar("T")


class PatientStore(ArtifactStore):
    """Another store, asked again and again for as long as the running shard is wanted.

    Outside `serving`, and while the shard is hasty, every question is asked once.
    """

    def __init__(self, store: ArtifactStore) -> None:
        """Ask this store."""
        self._store = store
        self.url = store.url
        self._shard: ShardRun | None = None

    @contextmanager
    def serving(self, shard: ShardRun) -> Iterator[None]:
        """Whatever is asked within is asked for this shard."""
        self._shard = shard
        try:
            yield
        finally:
            self._shard = None

    def write_bytes(self, path: str, data: bytes) -> None:
        """See `ArtifactStore.write_bytes`."""
        self._insist(lambda: self._store.write_bytes(path, data))

    def read_bytes(self, path: str) -> bytes:
        """See `ArtifactStore.read_bytes`."""
        return self._insist(lambda: self._store.read_bytes(path))

    def exists(self, path: str) -> bool:
        """See `ArtifactStore.exists`."""
        return self._insist(lambda: self._store.exists(path))

    def names(self, folder: str) -> list[str]:
        """See `ArtifactStore.names`."""
        return self._insist(lambda: self._store.names(folder))

    def delete(self, path: str) -> None:
        """See `ArtifactStore.delete`; tried once, since nothing waits for it."""
        if self._shard is None:
            self._store.delete(path)
        else:
            _ask_in_thread(self._shard, lambda: self._store.delete(path))

    def _insist(self, ask: Callable[[], T]) -> T:
        shard = self._shard
        if shard is None:
            return ask()
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                answer = _ask_in_thread(shard, ask)
            except ArtifactStoreError as error:
                if shard.is_hasty or type(error) is not ArtifactStoreError:
                    raise
                pause_for(shard, f"the artifact store: {error.message}", pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            else:
                shard.notice = None
                return answer


def _ask_in_thread(shard: ShardRun, ask: Callable[[], T]) -> T:
    """Ask where a store that hangs does not make the engine look hung.

    Raises:
        InterruptedShard: the consumer asked for it; the thread ends when it is answered.
    """
    executor = ThreadPoolExecutor(1)
    future: Future[T] = executor.submit(ask)
    executor.shutdown(wait=False)
    slow_at = time.monotonic() + SLOW_SECONDS
    while wait([future], ASK_SECONDS).not_done:
        if time.monotonic() >= slow_at:
            shard.notice = f"Worker {shard.worker} waits for an answer of the artifact store."
        _say_and_obey(shard)
    return future.result()


def pause_for(shard: ShardRun, what: str, seconds: float) -> None:
    """Wait for a moment before the next try, and say for what.

    Raises:
        InterruptedShard: the consumer asked for it.
    """
    shard.notice = f"Worker {shard.worker} waits for {what}; it tries again."
    shard.say_working()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        _say_and_obey(shard)
        time.sleep(ASK_SECONDS)


def _say_and_obey(shard: ShardRun) -> None:
    if not shard.is_hasty:
        shard.between_steps()
        return
    shard.obey_stop()  # a hand-back waits for what is saved
    if time.monotonic() >= shard.next_word:
        shard.say_working()


def is_full_disk(error: Exception) -> bool:
    """Whether a disk of this computer had no room, whichever library says so."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in FULL
    return any(words in str(error) for words in FULL_WORDS)
