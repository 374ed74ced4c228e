"""A request for a job of any kind."""

from typing import Annotated

from pydantic import Field, TypeAdapter

from jobs.requests.evaluate import EvaluateJob
from jobs.requests.guided_sample import GuidedSampleJob
from jobs.requests.merge import MergeJob
from jobs.requests.report import ReportJob
from jobs.requests.sample import SampleJob
from jobs.requests.training import TrainDdpmJob, TrainRegressorJob

JobRequest = (
    SampleJob
    | MergeJob
    | TrainRegressorJob
    | GuidedSampleJob
    | TrainDdpmJob
    | EvaluateJob
    | ReportJob
)
job_request_adapter: TypeAdapter[JobRequest] = TypeAdapter(
    Annotated[JobRequest, Field(discriminator="kind")]
)
