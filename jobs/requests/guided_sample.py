"""The request of the kind `guided_sample`."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from jobs.requests.base import (
    BUNDLED_REGRESSOR,
    MAX_COUNT,
    OLDEST_AGE,
    TIMESTEPS,
    CheckpointReference,
    JobRequestBase,
    SamplingParams,
    StartParams,
    contradiction,
)
from jobs.requests.sample import fill_in_preset

MAX_AGES = 20
PRESETS: Mapping[str, Mapping[str, Any]] = {
    "assignment": {
        "faces_per_age": 10,
        "sampler": "ddpm",
        "num_inference_steps": TIMESTEPS,
        "variance": "beta",
        "prior": "standard",
        "guidance": "plain",
        "guidance_scale": 0.2,
        "guidance_form": "mean",
    },
    "fast": {
        "sampler": "dpmpp_2m",
        "num_inference_steps": 20,
        "timesteps": "logsnr",
        "prior": "data",
        "guidance": "calibrated",
        "guidance_form": "eps",
    },
}
DEFAULT_SCALES: Mapping[str, float] = {"plain": 0.2, "calibrated": 4.0}

Age = Annotated[float, Field(ge=0, le=OLDEST_AGE)]


class GuidedSampleParams(SamplingParams, StartParams):
    """Parameters of the kind `guided_sample`: faces at target ages."""

    preset: Literal["assignment", "fast"] | None = Field(
        None,
        description="Defaults by name: `assignment` is ten faces an age by ddpm in 1000 steps with "
        "plain guidance of scale 0.2; `fast` is dpmpp_2m in 20 steps, calibrated. Fields that are "
        "given win.",
    )
    regressor: CheckpointReference = Field(
        BUNDLED_REGRESSOR, description="Id of the age regressor, or the job that trains it."
    )
    target_ages: list[Age] = Field(
        default_factory=lambda: [18.0, 40.0, 60.0, 80.0],
        min_length=1,
        max_length=MAX_AGES,
        description="Ages in years, a row of faces each.",
    )
    faces_per_age: int = Field(4, ge=1, le=1000, description="Faces of each age.")
    guidance: Literal["plain", "calibrated"] = Field(
        "calibrated",
        description="What the scale multiplies: the gradient of −(ŷ − y)², ages in years (plain, "
        "the assignment's), or of −(ŷ − y)² / (2·MSE(t)), the regressor's own held-out error.",
    )
    guidance_scale: float | None = Field(
        None, ge=0, le=1000, description="0 is none; null: 0.2 plain, 4 calibrated."
    )
    guidance_form: Literal["mean", "eps"] | None = Field(
        None,
        description="What the gradient moves: the mean of ddpm's step (Dhariwal & Nichol, "
        "algorithm 1) or the predicted noise (algorithm 2); null: mean for ddpm, else eps.",
    )
    guidance_gradient: Literal["z_t", "x_0"] = Field(
        "z_t",
        description="Where the regressor looks: at z_t, or at the predicted x_0, the gradient "
        "going through the noise predictor too (three times the work).",
    )
    guidance_sigma_min: float | None = Field(
        None, ge=0, le=1000, description="Guide only where σ = sqrt(1/ᾱ − 1) is at least this."
    )
    guidance_sigma_max: float | None = Field(
        None, gt=0, le=1000, description="Guide only where σ is at most this."
    )
    guidance_clip: float | None = Field(
        None,
        gt=0,
        le=100,
        description="The longest shift of an image's eps, as a share of eps; null: any.",
    )
    shared_noise: bool = Field(
        True,
        description="The faces of a column start from the same noise at every age, so that a "
        "column shows what age changes.",
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_in_preset(cls, given: Any) -> Any:
        return fill_in_preset(given, PRESETS)

    @model_validator(mode="after")
    def _check_guidance(self) -> Self:
        if self.guidance_form == "mean" and self.sampler != "ddpm":
            raise contradiction(
                ["guidance_form", "sampler"], "guidance_form mean with sampler ddpm alone"
            )
        low, high = self.guidance_sigma_min, self.guidance_sigma_max
        if low is not None and high is not None and low >= high:
            raise contradiction(
                ["guidance_sigma_min", "guidance_sigma_max"],
                "a guidance_sigma_min below guidance_sigma_max",
            )
        if len(self.target_ages) * self.faces_per_age > MAX_COUNT:
            raise contradiction(
                ["target_ages", "faces_per_age"], f"at most {MAX_COUNT} faces in all"
            )
        return self

    @property
    def count(self) -> int:
        """Faces in all."""
        return len(self.target_ages) * self.faces_per_age


class GuidedSampleJob(JobRequestBase):
    """A request for a job of kind `guided_sample`."""

    kind: Literal["guided_sample"]
    params: GuidedSampleParams = Field(default_factory=GuidedSampleParams)
