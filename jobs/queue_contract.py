"""What callers receive of the queue as a whole: pauses, shares, speeds, how right it was."""

from datetime import datetime

from pydantic import Field

from jobs.contract import Contract


class SpeedView(Contract):
    """How fast shards of a kind are on a device, by the newest ones."""

    kind: str
    device: str
    unit: str = Field(description="What is counted; images for what is assembled.")
    per_second: tuple[float, float, float] = Field(
        description="First tenth, median and ninth tenth of the shards."
    )
    shards: int = Field(description="How many were measured.")


class UsageView(Contract):
    """What a submitter has used of late."""

    submitter: str
    device_seconds: float = Field(description="Of usage that decays by half in four hours.")


class EstimateRecord(Contract):
    """How often the first estimates of the newest jobs came true."""

    jobs: int = Field(description="Jobs that succeeded after an estimate of their end.")
    ends_within: int = Field(description="Of these, those that ended within it.")
    starts: int = Field(description="Jobs with an estimate of their start.")
    starts_within: int


class PauseView(Contract):
    """Why nothing new is sent, of one kind or of the whole queue."""

    scope: str = Field(description="A kind of job, or `all`.")
    reason: str
    paused_by: str
    paused_at: datetime


class QueueView(Contract):
    """The queue as a whole."""

    pauses: list[PauseView]
    usage: list[UsageView] = Field(description="By the fair share's account, most first.")
    speeds: list[SpeedView]
    estimates: EstimateRecord
