"""The kinds of jobs: what each checks, how it is split into shards, what its workers are told."""

from collections.abc import Mapping
from typing import Any

from jobs.kinds.evaluate import EvaluateKind
from jobs.kinds.guided_sample import GuidedSampleKind
from jobs.kinds.kind import Kind, Part
from jobs.kinds.merge import MergeKind
from jobs.kinds.report import ReportKind
from jobs.kinds.sample import SampleKind
from jobs.kinds.train_ddpm import TrainDdpmKind
from jobs.kinds.train_regressor import TrainRegressorKind

__all__ = ["KINDS", "Kind", "Part"]

KINDS: Mapping[str, Kind[Any]] = {
    "sample": SampleKind(),
    "merge": MergeKind(),
    "train_regressor": TrainRegressorKind(),
    "guided_sample": GuidedSampleKind(),
    "train_ddpm": TrainDdpmKind(),
    "evaluate": EvaluateKind(),
    "report": ReportKind(),
}
