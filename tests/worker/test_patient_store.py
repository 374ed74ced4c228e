"""What the engine's store does while it is not served: it waits, says so, and obeys."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobs.errors import ArtifactFileNotFoundError, ArtifactStoreError
from worker.engine.patient_store import SLOW_SECONDS, PatientStore, is_full_disk
from worker.engine.saved_states import save_state
from worker.engine.shard import InterruptedShard, ShardRun
from worker.protocol import Interrupt, Working


class Scene:
    """A shard over a store whose folder `jobs` a test can spoil with a file in its place."""

    def __init__(self, artifacts: Any, order: Any, settings: Any) -> None:
        self.store = PatientStore(artifacts)
        self.events: list[Any] = []
        self.interrupt: Interrupt | None = None
        self.when_said: dict[int, Callable[[], None]] = {}  # by the number of notices so far
        self.shard = ShardRun(
            worker="w-1",
            order=order,
            artifacts=self.store,
            settings=settings.model_copy(update={"report_seconds": 0.05}),
            say=self._hear,
            interrupt=lambda: self.interrupt,
        )
        self._spoiled = Path(artifacts.url) / "jobs"

    def spoil(self) -> None:
        self._spoiled.write_text("a file where a folder must be")

    def heal(self) -> None:
        self._spoiled.unlink()

    def stop(self) -> None:
        self.interrupt = Interrupt.STOP

    def notices(self) -> list[str]:
        working = [event for event in self.events if isinstance(event, Working)]
        return [event.notice for event in working if event.notice is not None]

    def _hear(self, event: Any) -> None:
        self.events.append(event)
        self.when_said.pop(len(self.notices()), lambda: None)()


@pytest.fixture
def scene(artifacts, keep_network, make_order, worker_settings) -> Scene:
    return Scene(artifacts, make_order(keep_network()), worker_settings)


def after(seconds: float, act: Any) -> threading.Timer:
    timer = threading.Timer(seconds, act)
    timer.start()
    return timer


def test_what_is_refused_is_asked_again_until_it_is_served(scene: Scene) -> None:
    scene.spoil()
    scene.when_said = {4: scene.heal}

    with scene.store.serving(scene.shard):
        scene.store.write_bytes("jobs/a/file", b"content")

    assert scene.store.read_bytes("jobs/a/file") == b"content"
    assert len(scene.notices()) > 3  # it is not taken for hung
    (said,) = set(scene.notices())
    assert said.startswith("Worker w-1 waits for the artifact store: cannot write jobs/a/file")
    assert said.endswith("it tries again.")
    assert scene.shard.notice is None


def test_who_waits_obeys(scene: Scene) -> None:
    scene.spoil()
    scene.when_said = {1: scene.stop}

    with scene.store.serving(scene.shard), pytest.raises(InterruptedShard):
        scene.store.write_bytes("jobs/a/file", b"content")

    assert len(scene.notices()) == 1  # it neither said nor asked anything more


def test_a_store_that_hangs_is_spoken_of_and_left_when_asked(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.engine.patient_store.SLOW_SECONDS", SLOW_SECONDS / 50)
    pipe = Path(scene.store.url) / "jobs" / "hangs"
    pipe.parent.mkdir()
    os.mkfifo(pipe)  # who reads it waits until somebody writes
    scene.when_said = {1: scene.stop}

    with scene.store.serving(scene.shard), pytest.raises(InterruptedShard):
        scene.store.read_bytes("jobs/hangs")

    pipe.open("wb").close()
    assert scene.notices() == ["Worker w-1 waits for an answer of the artifact store."]


def test_what_is_said_for_good_is_passed_on_at_once(scene: Scene) -> None:
    with scene.store.serving(scene.shard), pytest.raises(ArtifactFileNotFoundError):
        scene.store.read_bytes("jobs/a/file")

    assert scene.notices() == []


def test_who_is_hasty_or_serves_nobody_is_refused_at_once(scene: Scene) -> None:
    scene.spoil()

    with pytest.raises(ArtifactStoreError):
        scene.store.write_bytes("jobs/a/file", b"")
    with (
        scene.store.serving(scene.shard),
        scene.shard.hastily(),
        pytest.raises(ArtifactStoreError),
    ):
        scene.store.write_bytes("jobs/a/file", b"")


@pytest.mark.parametrize(
    ("error", "is_one"),
    [
        (OSError(28, "No space left on device"), True),
        (OSError(122, "Disk quota exceeded"), True),
        (OSError(13, "Permission denied"), False),
        (RuntimeError("I/O error: No space left on device (os error 28)"), True),
        (RuntimeError("something else"), False),
    ],
)
def test_a_full_disk_is_known_whichever_library_tells(error: Exception, is_one: bool) -> None:
    assert is_full_disk(error) is is_one


def test_a_save_into_a_store_that_hangs_is_left_only_where_nobody_wants_the_shard(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = threading.Event()
    monkeypatch.setattr(scene.store._store, "write_bytes", lambda *_: answers.wait(60))
    timer = after(1.0, answers.set)
    with scene.store.serving(scene.shard), scene.shard.hastily():
        scene.interrupt = Interrupt.RETURN
        scene.store.write_bytes("jobs/a/state", b"")  # it waits for the answer
        assert answers.is_set()
        timer.join()

        answers.clear()
        scene.interrupt = Interrupt.STOP
        with pytest.raises(InterruptedShard):
            scene.store.write_bytes("jobs/a/state", b"")
        assert not answers.is_set()
    answers.set()


def test_a_state_that_is_handed_back_is_written_once_however_slow_the_store_deletes(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    write, delete = scene.store._store.write_bytes, scene.store._store.delete

    def write_slowly(path: str, data: bytes) -> None:
        written.append(path.rpartition("/")[2])
        write(path, data)

    def delete_slowly(path: str) -> None:
        time.sleep(0.3)
        delete(path)

    monkeypatch.setattr(scene.store._store, "write_bytes", write_slowly)
    monkeypatch.setattr(scene.store._store, "delete", delete_slowly)
    with scene.store.serving(scene.shard):
        save_state(scene.shard, 10, b"ten")
        scene.shard.before_return = lambda: save_state(scene.shard, 20, b"twenty")
        scene.interrupt = Interrupt.RETURN
        with pytest.raises(InterruptedShard):
            scene.shard.between_steps()

    assert written == ["state-10.safetensors", "state-20.safetensors"]
    assert scene.store.names(scene.shard.folder) == ["state-20.safetensors"]
