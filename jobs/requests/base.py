"""What the requests of several kinds have in common."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field
from pydantic_core import PydanticCustomError

from jobs.contract import NO_NUL, Contract

MAX_COUNT = 10_000  # images of one job
MAX_PARENTS = 50  # jobs that one job waits for
TIMESTEPS = 1000  # T of the course's noise schedule
OLDEST_AGE = 100  # years
BUNDLED = "bundled"  # the id that always names the bundled noise predictor
BUNDLED_64 = "bundled-64"  # and the one of width 64
BUNDLED_REGRESSOR = "bundled-regressor"  # and the bundled age regressor
BUNDLED_JUDGE = "bundled-judge"  # and the bundled judge of ages
SYNTHETIC = "synthetic"  # the id of the dataset that is rendered, not kept

Seed = Annotated[int, Field(ge=0, lt=2**64)]
Id = Annotated[str, Field(min_length=1, max_length=64, pattern=NO_NUL)]
Name = Annotated[str, Field(max_length=200, pattern=NO_NUL)]


class JobReference(Contract):
    """What another job makes; the job that names it waits for that one."""

    job: Id = Field(description="Id of the job.")


CheckpointReference = Id | JobReference  # of a checkpoint, or of the job that trains it


def contradiction(fields: Sequence[str], allowed: str) -> PydanticCustomError:
    """The error of fields that do not go together, for whoever shows errors field by field."""
    return PydanticCustomError(
        "contradiction", "give {allowed}", {"fields": list(fields), "allowed": allowed}
    )


class DatasetParams(Contract):
    """Which faces a job reads."""

    dataset: Id = Field(SYNTHETIC, description="Id of a dataset; `synthetic` is rendered.")
    synthetic_count: int = Field(
        40_000, ge=100, le=200_000, description="Faces to render, where the dataset is synthetic."
    )
    synthetic_seed: Seed = Field(1, description="Which people are rendered.")


class SamplingParams(Contract):
    """How a noise predictor is walked from noise to faces."""

    checkpoint: CheckpointReference = Field(
        BUNDLED, description="Id of the noise predictor, or the job that trains it."
    )
    sampler: Literal["ddpm", "ddim", "dpmpp_2m"] = Field(
        "ddpm", description="The algorithm that walks from noise to a face."
    )
    num_inference_steps: int = Field(
        TIMESTEPS, ge=1, le=TIMESTEPS, description="Denoising steps; 1000 visits every timestep."
    )
    variance: Literal["beta", "posterior"] = Field(
        "beta", description="DDPM's noise: σ² = β (beta) or the posterior's variance."
    )
    eta: float = Field(0.0, ge=0, le=1, description="DDIM's noise: 0 none, 1 as much as DDPM.")
    clip_x_0: bool = Field(False, description="Clip the predicted x_0 to [-1, 1] at every step.")
    seed: Seed | None = Field(None, description="Decides every image; drawn at random when absent.")


class StartParams(Contract):
    """Where sampling starts at t = T, and which timesteps it visits."""

    timesteps: Literal["trailing", "logsnr"] | None = Field(
        None,
        description="Where the steps lie: evenly in t (trailing) or in the logarithm of the "
        "signal-to-noise ratio; null: what suits sampler and steps best.",
    )
    prior: Literal["standard", "data"] = Field(
        "standard",
        description="Where z_T is drawn from: N(0, I) as in the book, or the data's own mean and "
        "principal components at t = T.",
    )
    prior_dataset: Id | None = Field(
        None,
        description="Dataset that prior `data` is computed from, where the checkpoint holds none.",
    )


class JobRequestBase(Contract):
    """What every job can be given."""

    name: Name | None = Field(None, description="A name for people.")
    priority: int = Field(0, ge=-100, le=100, description="Higher goes first.")
    submitter: str | None = Field(
        None, min_length=1, max_length=64, pattern=r"^[\w.@ -]+$", description="Whose job it is."
    )
    after: list[Id] = Field(
        default_factory=list,
        max_length=MAX_PARENTS,
        description="Ids of jobs that must succeed first, beside those that `params` name.",
    )
