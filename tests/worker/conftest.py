"""Work for a real engine: a store with a small network, and orders over it."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from diffusion import UNet, save_checkpoint
from formats.description import CheckpointDescription
from jobs.artifacts import CHECKPOINTS, ArtifactStore, checkpoint_path
from jobs.messages import ShardOrder
from jobs.requests import SampleParams
from jobs.settings import WorkerSettings
from jobs.works import FileReference, SampleWork
from tests.worker.tiny_training import Files, train_order
from worker.consumer.engine_process import EngineProcess
from worker.engine import development, training
from worker.engine.device import Device
from worker.engine.models import Models
from worker.engine.runners import Runner, make_runners
from worker.engine.shard import MadeFile, ShardRun
from worker.protocol import Interrupt


@pytest.fixture
def worker_settings(tmp_path: Path) -> WorkerSettings:
    """One thread on the CPU, over a folder of this test's own."""
    return settings_over(tmp_path)


def settings_over(folder: Path) -> WorkerSettings:
    return WorkerSettings(
        artifacts_url=str(folder / "artifacts"),
        device="cpu",
        threads=1,
        precision="float32",
        save_seconds=0.1,
        preview_seconds=0.1,
    )


@pytest.fixture
def artifacts(worker_settings: WorkerSettings) -> ArtifactStore:
    return used_store(worker_settings)


def used_store(settings: WorkerSettings) -> ArtifactStore:
    """A store with checkpoints, as every one has that is used."""
    store = ArtifactStore(settings.artifacts_url)
    store.write_bytes(f"{CHECKPOINTS}/kept", b"")
    return store


@pytest.fixture
def keep_network(artifacts: ArtifactStore, tmp_path: Path) -> Callable[..., FileReference]:
    """Keeps an untrained network in the store; `scale` multiplies all its weights."""

    def keep(scale: float = 1.0) -> FileReference:
        torch.manual_seed(0)
        network = UNet(8)
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.mul_(scale)
        path = tmp_path / "network.safetensors"
        save_checkpoint(path, network, CheckpointDescription("unet", 8))
        content = path.read_bytes()
        sha256 = hashlib.sha256(content).hexdigest()
        artifacts.write_bytes(checkpoint_path(sha256), content)
        return FileReference(path=checkpoint_path(sha256), sha256=sha256)

    return keep


@pytest.fixture
def make_order() -> Callable[..., ShardOrder]:
    """Makes the order of a shard of four images."""

    def make(reference: FileReference, attempt: int = 1, **params: Any) -> ShardOrder:
        work = SampleWork(
            params=SampleParams(seed=3, count=4, **params),
            checkpoint=reference,
            first_image=0,
            image_count=4,
        )
        return ShardOrder(job_id="job", shard_id="job-0", attempt=attempt, work=work)

    return make


@pytest.fixture
def start_engine(worker_settings: WorkerSettings) -> Iterator[Callable[..., EngineProcess]]:
    """Starts real engines with these settings; all are ended with the test."""
    engines: list[EngineProcess] = []

    def start(**settings: Any) -> EngineProcess:
        engine = EngineProcess(worker_settings.model_copy(update=settings))
        engines.append(engine)
        return engine

    yield start
    for engine in engines:
        engine.end()


class InnerEngine:
    """The engine's runners in this process: what they say is kept, and the test interrupts."""

    def __init__(self, settings: WorkerSettings, artifacts: ArtifactStore) -> None:
        self.settings = settings
        self.artifacts = artifacts
        self.events: list[Any] = []
        self.interrupt_when: Callable[[InnerEngine], Interrupt | None] = lambda engine: None
        device = Device.choose(settings)
        self._runners = make_runners(artifacts, device, Models(artifacts, device))

    def runner(self, kind: str) -> Runner:
        return self._runners[kind]

    def shard(self, order: ShardOrder, worker: str = "worker-1") -> ShardRun:
        return ShardRun(
            worker=worker,
            order=order,
            artifacts=self.artifacts,
            settings=self.settings,
            say=self.events.append,
            interrupt=lambda: self.interrupt_when(self),
        )

    def run(self, order: ShardOrder, worker: str = "worker-1") -> dict[str, MadeFile]:
        """Run a shard; the files that it made, by name."""
        files = self.runner(order.work.kind).run(self.shard(order, worker), order.work)
        return {file.name: file for file in files}

    def said(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


@pytest.fixture(scope="session")
def make_inner_engine() -> Callable[[Path], InnerEngine]:
    """Makes runners over a folder that say each step, and save only when asked to leave."""

    def make(folder: Path) -> InnerEngine:
        settings = settings_over(folder)
        chatty = {"report_seconds": 1e-9, "training_save_seconds": 3600.0}
        settings = settings.model_copy(update=chatty)
        return InnerEngine(settings, used_store(settings))

    return make


@pytest.fixture
def inner_engine(tmp_path: Path, make_inner_engine: Callable[[Path], InnerEngine]) -> InnerEngine:
    """Runners over this test's own store."""
    return make_inner_engine(tmp_path)


@pytest.fixture(scope="module")
def small_sheets() -> Iterator[None]:
    """Few faces at few moments: sampling them would take longer than all else."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(development, "SHARES", (0.1, 0.5))
        patch.setattr(development, "STEPS", 4)
        patch.setattr(training, "DEVELOPED_FACES", 2)
        patch.setattr(training, "SHEET_FACES", 3)
        yield


@pytest.fixture(scope="module")
def whole(small_sheets, make_inner_engine, tmp_path_factory) -> tuple[Any, Files]:
    """An engine that ran a whole training, and the files of it."""
    engine = make_inner_engine(tmp_path_factory.mktemp("whole"))
    return engine, engine.run(train_order())
