"""Run an `evaluate` shard."""

from jobs.artifacts import ArtifactStore
from jobs.messages import EvaluateWork
from worker.engine.datasets import Datasets
from worker.engine.device import Device
from worker.engine.shard import MadeFile, ShardRun


class EvaluateRunner:
    """Measures images and checkpoints."""

    def __init__(self, artifacts: ArtifactStore, device: Device, datasets: Datasets) -> None:
        """Measure on `device`."""
        self._artifacts = artifacts
        self._device = device
        self._datasets = datasets

    def run(self, shard: ShardRun, work: EvaluateWork) -> list[MadeFile]:
        """To come."""
        raise NotImplementedError
