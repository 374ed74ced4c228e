"""The requests of the kinds that train: `train_ddpm` and `train_regressor`."""

from typing import Literal, Self

from pydantic import Field, model_validator

from jobs.requests.base import (
    BUNDLED,
    CheckpointReference,
    DatasetParams,
    JobRequestBase,
    Seed,
    contradiction,
)

DEFAULT_IMAGES = 1_000_000  # that a noise predictor sees unless it is limited otherwise
DEFAULT_REGRESSOR_IMAGES = 400_000  # and a regressor
LIMITS = ("steps", "minutes", "images")


class TrainingParams(DatasetParams):
    """What every training can be given."""

    width: int | None = Field(
        None,
        ge=8,
        le=128,
        description="Channels at full resolution: 64 is the course's. Null: that of the "
        "checkpoint that it starts from, or 32.",
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
        description=f"Stop after so many images seen; if no limit is given, {DEFAULT_IMAGES}, or "
        f"{DEFAULT_REGRESSOR_IMAGES} of a regressor.",
    )
    batch_size: int = Field(32, ge=1, le=4096, description="Images of one training step.")
    learning_rate: float = Field(1e-3, gt=0, le=0.1, description="The highest, after the warm-up.")
    warmup_steps: int = Field(300, ge=1, le=100_000, description="Steps to the highest rate.")
    ema_decay: float = Field(
        0.999, ge=0, lt=1, description="Of the weights' exponential moving average, which is kept."
    )
    gradient_norm: float = Field(1.0, gt=0, le=1000, description="Longer gradients are clipped.")
    horizontal_flips: bool = Field(True, description="Mirror every other face.")
    seed: Seed | None = Field(
        None, description="Decides weights, order, timesteps and noise; random when absent."
    )

    @model_validator(mode="after")
    def _check_one_limit(self) -> Self:
        given = [name for name in LIMITS if getattr(self, name) is not None]
        if len(given) > 1:
            raise contradiction(given, f"at most one of {', '.join(LIMITS)}")
        return self


class TrainDdpmParams(TrainingParams):
    """Parameters of the kind `train_ddpm`: a noise predictor, trained on a dataset."""

    initial: CheckpointReference | None = Field(
        None,
        description="Id of a noise predictor to go on from, or the job that trains it; null: "
        "weights by the seed.",
    )
    holdout_fraction: float = Field(
        0.02, gt=0, le=0.5, description="Share of the faces kept back for the held-out loss."
    )


class TrainRegressorParams(TrainingParams):
    """Parameters of the kind `train_regressor`: an age regressor, trained on noised faces."""

    checkpoint: CheckpointReference = Field(
        BUNDLED,
        description="Id of the noise predictor whose noise schedule, and start weights, it takes; "
        "or the job that trains it.",
    )
    start: Literal["checkpoint", "scratch"] = Field(
        "checkpoint",
        description="Start weights: the noise predictor's downward half, or random by the seed.",
    )
    initial: CheckpointReference | None = Field(
        None,
        description="Id of an age regressor to go on from, of the noise predictor's schedule, or "
        "the job that trains it; null: weights as `start` says.",
    )
    timestep_power: float = Field(
        2.5,
        ge=1,
        le=10,
        description="t is T·u to this power, u uniform within 0 and 1: more of it where there is "
        "little noise; 1 draws every t alike.",
    )
    low_noise_share: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Of the faces: their t is even over the first tenth of T, which "
        "`timestep_power` crowds at its beginning.",
    )
    shifts: int = Field(
        2, ge=0, le=8, description="Each face is moved by up to so many pixels, both ways."
    )
    weight_decay: float = Field(0.01, ge=0, le=1, description="Of AdamW.")
    patience: int | None = Field(
        None,
        ge=1,
        le=1000,
        description="Stop early when so many measurements in a row (40 in a whole training) do not "
        "lessen the held-out error; the weights of the least are kept either way.",
    )
    holdout_fraction: float = Field(
        0.05, gt=0, le=0.5, description="Share of the faces kept back to measure the error."
    )

    @model_validator(mode="after")
    def _check_one_start(self) -> Self:
        if self.initial is not None and self.start == "scratch":
            raise contradiction(["initial", "start"], "initial, or scratch as start, not both")
        return self


class TrainDdpmJob(JobRequestBase):
    """A request for a job of kind `train_ddpm`."""

    kind: Literal["train_ddpm"]
    params: TrainDdpmParams = Field(default_factory=TrainDdpmParams)


class TrainRegressorJob(JobRequestBase):
    """A request for a job of kind `train_regressor`."""

    kind: Literal["train_regressor"]
    params: TrainRegressorParams = Field(default_factory=TrainRegressorParams)
