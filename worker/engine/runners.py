"""What runs each kind of work, and what its failures are called."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from diffusion.errors import DiffusionError, TrainingDivergedError
from formats.errors import FormatError
from jobs.artifacts import ArtifactStore
from jobs.errors import ArtifactStoreError
from worker.engine.assembling import AssembleRunner
from worker.engine.datasets import Datasets
from worker.engine.device import Device
from worker.engine.evaluating import EvaluateRunner
from worker.engine.guided_sampling import GuidedSampleRunner
from worker.engine.merging import MergeRunner
from worker.engine.models import Models
from worker.engine.reporting import ReportRunner
from worker.engine.sampling import SampleRunner
from worker.engine.shard import MadeFile, ShardRun
from worker.engine.training import TrainRunner
from worker.engine.training_regressor import TrainRegressorRunner

ASSEMBLE = "assemble"
INTERNAL_ERROR = "internal_error"


@dataclass(frozen=True)
class Runner:
    """How a kind of work is run.

    Attributes:
        run: makes the files of a shard of this kind.
        failure: the code of what goes wrong in its mathematics.
    """

    run: Callable[[ShardRun, Any], list[MadeFile]]
    failure: str

    def describe_failure(self, error: Exception) -> tuple[str, str]:
        """The code and the message of what ended a shard."""
        if isinstance(error, torch.OutOfMemoryError):
            return "out_of_memory", f"the device ran out of memory: {error}"
        if isinstance(error, MemoryError):
            return "out_of_memory", "the host ran out of memory"
        if isinstance(error, (FormatError, ArtifactStoreError)):
            return error.code, str(error)
        if isinstance(error, TrainingDivergedError):
            return "training_diverged", str(error)
        if isinstance(error, DiffusionError):
            return self.failure, str(error)
        return INTERNAL_ERROR, f"{type(error).__name__}: {error}"


def offered_kinds(runners: Iterable[str], wanted: Collection[str]) -> list[str]:
    """The kinds of work that this engine takes: all, or the wanted ones and `assemble`.

    What assembles a job belongs to whoever may run its shards; it needs no time to speak of.
    """
    return sorted(kind for kind in runners if not wanted or kind in (*wanted, ASSEMBLE))


def make_runners(artifacts: ArtifactStore, device: Device, models: Models) -> Mapping[str, Runner]:
    """A runner of each kind of work, by its name; they share networks and datasets in memory."""
    datasets = Datasets(artifacts)
    return {
        ASSEMBLE: Runner(AssembleRunner(datasets).run, "assembling_failed"),
        "evaluate": Runner(EvaluateRunner(artifacts, device, datasets).run, "evaluation_failed"),
        "train_regressor": Runner(
            TrainRegressorRunner(artifacts, device, datasets).run, "training_failed"
        ),
        "guided_sample": Runner(
            GuidedSampleRunner(models, device, datasets).run, "sampling_failed"
        ),
        "merge": Runner(MergeRunner(models, device, datasets).run, "sampling_failed"),
        "report": Runner(ReportRunner(artifacts).run, "report_failed"),
        "sample": Runner(SampleRunner(models, device, datasets).run, "sampling_failed"),
        "train_ddpm": Runner(TrainRunner(artifacts, device, datasets).run, "training_failed"),
    }
