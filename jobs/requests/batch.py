"""Several jobs in one submission, which name each other; and the whole assignment as one."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from jobs.contract import Contract
from jobs.requests.base import (
    BUNDLED,
    SYNTHETIC,
    TIMESTEPS,
    Id,
    Name,
    Seed,
    contradiction,
)
from jobs.requests.request import JobRequest
from jobs.requests.training import DEFAULT_REGRESSOR_IMAGES

MAX_BATCH = 50


class BatchItem(Contract):
    """A job of a batch, and the label by which the others name it where a job's id belongs."""

    label: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$", max_length=32)]
    job: Annotated[JobRequest, Field(discriminator="kind")]


class BatchRequest(Contract):
    """Jobs that are submitted together: all of them or none."""

    jobs: list[BatchItem] = Field(
        min_length=1, max_length=MAX_BATCH, description="Each names only those before it."
    )

    @model_validator(mode="after")
    def _check_labels(self) -> Self:
        labels = [item.label for item in self.jobs]
        if len(set(labels)) < len(labels):
            raise contradiction(["jobs"], "every job a label of its own")
        return self


class AssignmentRequest(Contract):
    """The whole assignment: sample, merge, train a regressor, guide, evaluate, report."""

    name: Name | None = Field(None, description="A name for people.")
    priority: int = Field(0, ge=-100, le=100, description="Higher goes first.")
    submitter: str | None = Field(
        None, min_length=1, max_length=64, pattern=r"^[\w.@ -]+$", description="Whose jobs."
    )
    checkpoint: Id = Field(BUNDLED, description="Id of the noise predictor.")
    regressor: Id | None = Field(None, description="Id of an age regressor; null: one is trained.")
    initial: Id | None = Field(
        None, description="Id of an age regressor that the one to be trained goes on from."
    )
    dataset: Id = Field(
        SYNTHETIC, description="Id of a dataset with ages, to merge, train on and compare with."
    )
    sampler: Literal["ddpm", "dpmpp_2m"] = Field(
        "ddpm",
        description="Of all three collages: `ddpm` with plain guidance is the assignment's own, "
        "and leaves noise in few steps; `dpmpp_2m` with calibrated guidance is for few.",
    )
    num_inference_steps: int | None = Field(
        None,
        ge=1,
        le=TIMESTEPS,
        description="Denoising steps of all three collages; null: 1000 by ddpm, 20 by dpmpp_2m.",
    )
    training_images: int = Field(
        DEFAULT_REGRESSOR_IMAGES,
        ge=1,
        le=1_000_000_000,
        description="Images that the regressor sees in its training.",
    )
    seed: Seed | None = Field(None, description="Of all jobs; drawn at random when absent.")

    @model_validator(mode="after")
    def _check_one_regressor(self) -> Self:
        if self.regressor is not None and self.initial is not None:
            raise contradiction(
                ["regressor", "initial"], "a regressor, or one that another goes on from, not both"
            )
        return self
