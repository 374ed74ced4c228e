"""One attempt at a shard: its folder, what it says, and how it is broken off."""

import base64
import hashlib
import resource
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from jobs.artifacts import ArtifactStore, attempt_folder
from jobs.contract import ArtifactRole, Contract, Curves
from jobs.messages import ArtifactRecord, Manifest, ShardOrder
from jobs.provenance import used_checkpoints
from jobs.settings import WorkerSettings
from worker.protocol import Interrupt, PreviewMade, Working

KIBIBYTE = 1024
ASK_SECONDS = 0.1  # between two looks for an interrupt while something long runs

T = TypeVar("T")


class InterruptedShard(Exception):
    """The consumer asked to break off."""

    def __init__(self, interrupt: Interrupt, saved_step: int) -> None:
        """Keep how, and from where it can go on."""
        super().__init__(interrupt)
        self.interrupt = interrupt
        self.saved_step = saved_step


@dataclass(frozen=True)
class MadeFile:
    """A file that a shard made, not yet published."""

    role: ArtifactRole
    name: str
    content: bytes
    shape: Sequence[int]
    media_type: str
    details: Mapping[str, Any] = field(default_factory=dict)  # of a checkpoint: its description


@dataclass
class ShardRun:
    """One attempt at a shard, as what runs it sees it."""

    worker: str
    order: ShardOrder
    artifacts: ArtifactStore
    settings: WorkerSettings
    say: Callable[[Contract], None]
    interrupt: Callable[[], Interrupt | None]
    done: int = 0
    saved_step: int = 0
    curves: Curves = field(default_factory=dict)
    notice: str | None = None  # what hinders it now, for people
    is_hasty: bool = False  # it does not wait for the artifact store
    next_word: float = field(default_factory=time.monotonic)
    before_return: Callable[[], None] = lambda: None  # saves what was not saved by its time
    _save_seconds: float = 0.0
    _step_began: float = field(default_factory=time.monotonic)
    _next_preview: float = field(default_factory=time.monotonic)
    _next_save: float = 0.0

    def __post_init__(self) -> None:
        """Save for the first time after a while."""
        self.save_every(self.settings.save_seconds)

    @property
    def folder(self) -> str:
        """Where this attempt, and nobody else, writes."""
        return attempt_folder(
            self.order.job_id, self.order.shard_id, self.order.attempt, self.worker
        )

    def say_working(self) -> None:
        """Tell how far it is."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIBIBYTE
        self.say(
            Working(
                done=self.done,
                saved_step=self.saved_step,
                memory_bytes=peak,
                curves=self.curves,
                notice=self.notice,
            )
        )
        self.next_word = time.monotonic() + self.settings.report_seconds

    def between_steps(self) -> None:
        """Obey, and tell at times how far it is: for what goes on in small steps.

        Raises:
            InterruptedShard: the consumer asked for it.
        """
        self._step_began = time.monotonic()
        self.obey(self.interrupt())
        if time.monotonic() >= self.next_word:
            self.say_working()

    @property
    def seconds_in_step(self) -> float:
        """Since `between_steps` was called last."""
        return time.monotonic() - self._step_began

    def wait_for(self, work: Callable[[], T]) -> T:
        """Do something long that cannot say itself that it goes on; it runs in a thread.

        When `done` has not changed for `engine_load_seconds`, nothing more is said, so that a
        hang is noticed.

        Raises:
            InterruptedShard: the consumer asked for it; the thread ends when it is done.
        """
        executor = ThreadPoolExecutor(1)
        future = executor.submit(work)
        executor.shutdown(wait=False)
        done, changed_at = self.done, time.monotonic()
        while wait([future], ASK_SECONDS).not_done:
            if self.done != done or self.notice is not None:
                done, changed_at = self.done, time.monotonic()
            if time.monotonic() - changed_at < self.settings.engine_load_seconds:
                self.between_steps()
        return future.result()

    def wants_preview(self) -> bool:
        """Whether a preview is due."""
        if time.monotonic() < self._next_preview:
            return False
        self._next_preview = time.monotonic() + self.settings.preview_seconds
        return True

    def say_preview(self, png: bytes) -> None:
        """Show a sheet of what the images look like now."""
        self.say(PreviewMade(png_base64=base64.b64encode(png).decode()))

    def save_every(self, seconds: float) -> None:
        """Want to save for the first time after so long, and then again."""
        self._save_seconds = seconds
        self._next_save = time.monotonic() + seconds

    @contextmanager
    def hastily(self) -> Iterator[None]:
        """Within, ask the artifact store once: the shard goes on if it does not answer."""
        self.is_hasty = True
        try:
            yield
        finally:
            self.is_hasty = False

    def wants_save(self, interrupt: Interrupt | None) -> bool:
        """Whether the state should be saved now: at times, and before it is handed back."""
        if interrupt is not Interrupt.RETURN and time.monotonic() < self._next_save:
            return False
        self._next_save = time.monotonic() + self._save_seconds
        return True

    def obey(self, interrupt: Interrupt | None) -> None:
        """Break off if this was asked.

        Raises:
            InterruptedShard: the consumer asked for it.
        """
        if interrupt is Interrupt.RETURN:
            self.before_return()
        if interrupt is not None:
            raise InterruptedShard(interrupt, self.saved_step)

    def obey_stop(self) -> None:
        """Break off if nobody wants the shard any more.

        Raises:
            InterruptedShard: so it is.
        """
        if self.interrupt() is Interrupt.STOP:
            self.obey(Interrupt.STOP)

    def publish(self, files: Sequence[MadeFile]) -> tuple[int, list[ArtifactRecord]]:
        """Write the files, and the manifest last.

        Raises:
            ArtifactStoreError: the store does not take them.
        """
        records = []
        for file in files:
            path = f"{self.folder}/{file.name}"
            self.artifacts.write_bytes(path, file.content)
            records.append(
                ArtifactRecord(
                    role=file.role,
                    name=file.name,
                    path=path,
                    shape=list(file.shape),
                    media_type=file.media_type,
                    size_bytes=len(file.content),
                    sha256=hashlib.sha256(file.content).hexdigest(),
                    details=dict(file.details),
                    checkpoints=used_checkpoints(self.order.work),
                )
            )
        self.artifacts.write_manifest(
            Manifest(
                job_id=self.order.job_id,
                shard_id=self.order.shard_id,
                attempt=self.order.attempt,
                worker=self.worker,
                done=self.done,
                artifacts=records,
            )
        )
        return self.done, records
