"""What callers send: job requests as a union on `kind`, one file each.

Everything here is pure pydantic; the API's OpenAPI document is generated from it.
"""

from jobs.requests.base import (
    BUNDLED,
    BUNDLED_64,
    BUNDLED_JUDGE,
    BUNDLED_REGRESSOR,
    MAX_COUNT,
    OLDEST_AGE,
    SYNTHETIC,
    TIMESTEPS,
    CheckpointReference,
    DatasetParams,
    JobReference,
    JobRequestBase,
    SamplingParams,
    StartParams,
)
from jobs.requests.batch import AssignmentRequest, BatchItem, BatchRequest
from jobs.requests.changes import JobChange, PauseRequest
from jobs.requests.evaluate import EvaluateJob, EvaluateParams
from jobs.requests.guided_sample import DEFAULT_SCALES, GuidedSampleJob, GuidedSampleParams
from jobs.requests.guided_sample import PRESETS as GUIDED_PRESETS
from jobs.requests.merge import (
    Face,
    MadeFace,
    MergeJob,
    MergeParams,
    UploadedFace,
)
from jobs.requests.report import ReportJob, ReportParams
from jobs.requests.request import JobRequest, job_request_adapter
from jobs.requests.sample import PRESETS as SAMPLE_PRESETS
from jobs.requests.sample import SampleJob, SampleParams
from jobs.requests.training import (
    DEFAULT_IMAGES,
    DEFAULT_REGRESSOR_IMAGES,
    LIMITS,
    TrainDdpmJob,
    TrainDdpmParams,
    TrainingParams,
    TrainRegressorJob,
    TrainRegressorParams,
)

__all__ = [
    "BUNDLED",
    "BUNDLED_64",
    "BUNDLED_JUDGE",
    "BUNDLED_REGRESSOR",
    "DEFAULT_IMAGES",
    "DEFAULT_REGRESSOR_IMAGES",
    "DEFAULT_SCALES",
    "GUIDED_PRESETS",
    "LIMITS",
    "MAX_COUNT",
    "OLDEST_AGE",
    "SAMPLE_PRESETS",
    "SYNTHETIC",
    "TIMESTEPS",
    "AssignmentRequest",
    "BatchItem",
    "BatchRequest",
    "CheckpointReference",
    "DatasetParams",
    "EvaluateJob",
    "EvaluateParams",
    "Face",
    "GuidedSampleJob",
    "GuidedSampleParams",
    "JobChange",
    "JobReference",
    "JobRequest",
    "JobRequestBase",
    "MadeFace",
    "MergeJob",
    "MergeParams",
    "PauseRequest",
    "ReportJob",
    "ReportParams",
    "SampleJob",
    "SampleParams",
    "SamplingParams",
    "StartParams",
    "TrainDdpmJob",
    "TrainDdpmParams",
    "TrainRegressorJob",
    "TrainRegressorParams",
    "TrainingParams",
    "UploadedFace",
    "job_request_adapter",
]
