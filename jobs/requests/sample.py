"""The request of the kind `sample`."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, model_validator

from jobs.requests.base import MAX_COUNT, TIMESTEPS, JobRequestBase, SamplingParams, StartParams

PRESETS: Mapping[str, Mapping[str, Any]] = {
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


def fill_in_preset(given: Any, presets: Mapping[str, Mapping[str, Any]]) -> Any:
    """The parameters with those of the preset that they name, where they do not give their own."""
    preset = given.get("preset") if isinstance(given, dict) else None
    defaults = presets.get(preset, {}) if isinstance(preset, str) else {}
    return {**defaults, **given} if defaults else given


class SampleParams(SamplingParams, StartParams):
    """Parameters of the kind `sample`: unconditional faces and their collage."""

    preset: Literal["assignment", "fast"] | None = Field(
        None,
        description="Defaults by name: `assignment` is ddpm, 1000 steps, prior standard; `fast` "
        "is dpmpp_2m, 20 steps, timesteps logsnr, prior data. Fields that are given win.",
    )
    count: int = Field(100, ge=1, le=MAX_COUNT, description="How many faces to sample.")
    columns: int = Field(10, ge=1, le=100, description="Columns of the collage.")

    @model_validator(mode="before")
    @classmethod
    def _fill_in_preset(cls, given: Any) -> Any:
        return fill_in_preset(given, PRESETS)


class SampleJob(JobRequestBase):
    """A request for a job of kind `sample`."""

    kind: Literal["sample"]
    params: SampleParams = Field(default_factory=SampleParams)
