"""The request of the kind `evaluate`."""

from typing import Literal, Self

from pydantic import Field, model_validator

from jobs.requests.base import MAX_COUNT, DatasetParams, Id, JobRequestBase, Seed, contradiction


class EvaluateParams(DatasetParams):
    """Parameters of the kind `evaluate`: figures of a job's images, or of a checkpoint."""

    job: Id | None = Field(
        None, description="A job that makes faces; it is waited for until it has succeeded."
    )
    checkpoint: Id | None = Field(
        None, description="A noise predictor, whose loss is measured in ten bands of t."
    )
    faces: int = Field(
        MAX_COUNT, ge=200, le=MAX_COUNT, description="At most so many of the dataset are read."
    )
    seed: Seed = Field(0, description="Of the split and of the subsets.")

    @model_validator(mode="after")
    def _check_one_subject(self) -> Self:
        if (self.job is None) == (self.checkpoint is None):
            raise contradiction(["job", "checkpoint"], "exactly one of job and checkpoint")
        return self


class EvaluateJob(JobRequestBase):
    """A request for a job of kind `evaluate`."""

    kind: Literal["evaluate"]
    params: EvaluateParams
