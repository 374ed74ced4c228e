"""What callers send: job requests as a union on `kind`.

Everything here is pure pydantic; the API's OpenAPI document is generated from it.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import Field, TypeAdapter, model_validator
from pydantic_core import PydanticCustomError

from jobs.contract import Contract

MAX_COUNT = 10_000  # images of one job
TIMESTEPS = 1000  # T of the course's noise schedule
BUNDLED = "bundled"  # the id that always names the bundled noise predictor
SYNTHETIC = "synthetic"  # the id of the dataset that is rendered, not kept
DEFAULT_IMAGES = 1_000_000  # that a training sees unless it is limited otherwise

SAMPLE_PRESETS: Mapping[str, Mapping[str, Any]] = {
    "assignment": {
        "sampler": "ddpm",
        "num_inference_steps": TIMESTEPS,
        "variance": "beta",
        "prior": "standard",
    },
    "fast": {
        "sampler": "dpmpp_2m",
        "num_inference_steps": 20,
        "timesteps": "logsnr",
        "prior": "data",
    },
}

Seed = Annotated[int, Field(ge=0, lt=2**64)]
Id = Annotated[str, Field(min_length=1, max_length=64)]


def _contradiction(fields: Sequence[str], allowed: str) -> PydanticCustomError:
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


class SampleParams(Contract):
    """Parameters of the kind `sample`: unconditional faces and their collage."""

    preset: Literal["assignment", "fast"] | None = Field(
        None,
        description="Defaults by name: `assignment` is ddpm, 1000 steps, prior standard; `fast` "
        "is dpmpp_2m, 20 steps, timesteps logsnr, prior data. Fields that are given win.",
    )
    checkpoint: Id = Field(BUNDLED, description="Id of the noise predictor.")
    count: int = Field(100, ge=1, le=MAX_COUNT, description="How many faces to sample.")
    sampler: Literal["ddpm", "ddim", "dpmpp_2m"] = Field(
        "ddpm", description="The algorithm that walks from noise to a face."
    )
    num_inference_steps: int = Field(
        TIMESTEPS, ge=1, le=TIMESTEPS, description="Denoising steps; 1000 visits every timestep."
    )
    timesteps: Literal["trailing", "logsnr"] | None = Field(
        None,
        description="Where the steps lie: evenly in t (trailing) or in the logarithm of the "
        "signal-to-noise ratio; null: what suits sampler and steps best.",
    )
    variance: Literal["beta", "posterior"] = Field(
        "beta", description="DDPM's noise: σ² = β (beta) or the posterior's variance."
    )
    eta: float = Field(0.0, ge=0, le=1, description="DDIM's noise: 0 none, 1 as much as DDPM.")
    clip_x_0: bool = Field(False, description="Clip the predicted x_0 to [-1, 1] at every step.")
    prior: Literal["standard", "data"] = Field(
        "standard",
        description="Where z_T is drawn from: N(0, I) as in the book, or the data's own mean and "
        "principal components at t = T.",
    )
    prior_dataset: Id | None = Field(
        None,
        description="Dataset that prior `data` is computed from, where the checkpoint holds none.",
    )
    seed: Seed | None = Field(None, description="Decides every image; drawn at random when absent.")
    columns: int = Field(10, ge=1, le=100, description="Columns of the collage.")

    @model_validator(mode="before")
    @classmethod
    def _fill_in_preset(cls, given: Any) -> Any:
        preset = given.get("preset") if isinstance(given, dict) else None
        defaults = SAMPLE_PRESETS.get(preset, {}) if isinstance(preset, str) else {}
        return {**defaults, **given} if defaults else given


class TrainDdpmParams(DatasetParams):
    """Parameters of the kind `train_ddpm`: a noise predictor, trained on a dataset."""

    width: int | None = Field(
        None,
        ge=8,
        le=128,
        description="Channels at full resolution: 64 is the course's. Null: 32, or `initial`'s.",
    )
    initial: Id | None = Field(
        None, description="Id of a noise predictor to go on from; null: weights by the seed."
    )
    steps: int | None = Field(
        None, ge=1, le=10_000_000, description="Stop after so many training steps."
    )
    minutes: float | None = Field(
        None, gt=0, le=14_400, description="Stop after so many minutes of training."
    )
    images: int | None = Field(
        None,
        ge=1,
        le=1_000_000_000,
        description=f"Stop after so many images seen; {DEFAULT_IMAGES} if no limit is given.",
    )
    batch_size: int = Field(32, ge=1, le=4096, description="Images of one training step.")
    learning_rate: float = Field(1e-3, gt=0, le=0.1, description="The highest, after the warm-up.")
    warmup_steps: int = Field(300, ge=1, le=100_000, description="Steps to the highest rate.")
    ema_decay: float = Field(
        0.999, ge=0, lt=1, description="Of the weights' exponential moving average, which is kept."
    )
    gradient_norm: float = Field(1.0, gt=0, le=1000, description="Longer gradients are clipped.")
    horizontal_flips: bool = Field(True, description="Mirror every other face.")
    holdout_fraction: float = Field(
        0.02, gt=0, le=0.5, description="Share of the faces kept back for the held-out loss."
    )
    seed: Seed | None = Field(
        None, description="Decides weights, order, timesteps and noise; random when absent."
    )

    @model_validator(mode="after")
    def _check_one_limit(self) -> Self:
        given = [name for name in LIMITS if getattr(self, name) is not None]
        if len(given) > 1:
            raise _contradiction(given, f"at most one of {', '.join(LIMITS)}")
        return self


LIMITS = ("steps", "minutes", "images")


class EvaluateParams(DatasetParams):
    """Parameters of the kind `evaluate`: figures of a job's images, or of a checkpoint."""

    job: Id | None = Field(None, description="A job that sampled faces and succeeded.")
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
            raise _contradiction(["job", "checkpoint"], "exactly one of job and checkpoint")
        return self


class JobRequestBase(Contract):
    """What every job can be given."""

    name: str | None = Field(None, max_length=200, description="A name for people.")
    priority: int = Field(0, ge=-100, le=100, description="Higher goes first.")
    submitter: str | None = Field(
        None, min_length=1, max_length=64, pattern=r"^[\w.@ -]+$", description="Whose job it is."
    )


class SampleJob(JobRequestBase):
    """A request for a job of kind `sample`."""

    kind: Literal["sample"]
    params: SampleParams = Field(default_factory=SampleParams)


class TrainDdpmJob(JobRequestBase):
    """A request for a job of kind `train_ddpm`."""

    kind: Literal["train_ddpm"]
    params: TrainDdpmParams = Field(default_factory=TrainDdpmParams)


class EvaluateJob(JobRequestBase):
    """A request for a job of kind `evaluate`."""

    kind: Literal["evaluate"]
    params: EvaluateParams


JobRequest = SampleJob | TrainDdpmJob | EvaluateJob
job_request_adapter: TypeAdapter[JobRequest] = TypeAdapter(
    Annotated[JobRequest, Field(discriminator="kind")]
)
