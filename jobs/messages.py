"""What travels over Redis between the dispatcher and its workers.

To a worker: a `ShardOrder` through Celery, `Order`s through its own stream. From it: `Report`s
and `Heartbeat`s through the reports stream, where the API's `Hint`s arrive too.
"""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from jobs.contract import ArtifactRole, Contract, Curves, ErrorInfo
from jobs.works import Work

PROTOCOL = 4  # raised when an older worker could not understand its orders


class ShardOrder(Contract):
    """The message that carries everything that a shard needs."""

    job_id: str
    shard_id: str
    attempt: int = Field(ge=1)
    work: Work


class ArtifactRecord(Contract):
    """An artifact as its maker describes it, also in the manifest."""

    role: ArtifactRole
    name: str
    path: str = Field(description="Below the artifact store's URL.")
    shape: list[int]
    media_type: str
    size_bytes: int
    sha256: str
    details: dict[str, Any] = Field(
        default_factory=dict, description="Of a checkpoint: its description."
    )
    checkpoints: dict[str, str] = Field(
        default_factory=dict, description="SHA-256 of what it was made with, by field."
    )


class Manifest(Contract):
    """The last file of an attempt's folder: it is complete, and this is what it holds."""

    job_id: str
    shard_id: str
    attempt: int
    worker: str
    done: int
    artifacts: list[ArtifactRecord]


class ReportStatus(StrEnum):
    """What a worker says of an attempt."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"  # would fail again: the shard fails
    LOST = "lost"  # its engine died
    RETURNED = "returned"  # handed back on shutdown

    @property
    def is_final(self) -> bool:
        """Whether the attempt has ended with this report."""
        return self is not ReportStatus.RUNNING


class RunningShard(Contract):
    """An attempt that occupies a slot of a worker."""

    shard_id: str
    attempt: int


class Report(Contract):
    """The state of an attempt; the newest (`seq`) replaces all before it."""

    type: Literal["report"] = "report"
    worker: str
    job_id: str
    shard_id: str
    attempt: int
    seq: int = Field(ge=1, description="Grows with every report of this attempt.")
    status: ReportStatus
    done: int = Field(0, ge=0, description="In the unit of the job's progress.")
    saved_step: int = Field(0, ge=0, description="The newest step from which it can resume.")
    preview_version: int = Field(0, ge=0)
    curves: Curves = Field(default_factory=dict, description="Whole each time: reports are states.")
    artifacts: list[ArtifactRecord] = Field(default_factory=list)
    error: ErrorInfo | None = None
    running: list[RunningShard] = Field(description="What occupies the worker's slots now.")


class Heartbeat(Contract):
    """A worker lives, and this is what it does."""

    type: Literal["heartbeat"] = "heartbeat"
    worker: str
    queue: str = Field(description="The Celery queue that only this worker reads.")
    host: str
    pid: int
    version: str
    protocol: int = PROTOCOL
    slots: int = Field(ge=0)
    running: list[RunningShard]
    draining: bool = False
    capabilities: dict[str, Any] = Field(default_factory=dict)


class Hint(Contract):
    """The API committed something about this job."""

    type: Literal["hint"] = "hint"
    job_id: str


Message = Annotated[Report | Heartbeat | Hint, Field(discriminator="type")]
message_adapter: TypeAdapter[Report | Heartbeat | Hint] = TypeAdapter(Message)


class OrderType(StrEnum):
    """What the dispatcher can ask of a worker beside running a shard."""

    ACKNOWLEDGE = "acknowledge"  # the report (shard, attempt, seq) is recorded or ignored for good
    STOP = "stop"  # you do not hold this attempt, or its job was canceled
    DRAIN = "drain"  # take no more work, but stay
    RESUME = "resume"  # take work again


class Order(Contract):
    """One entry of a worker's own stream."""

    type: OrderType
    shard_id: str = ""
    attempt: int = 0
    seq: int = 0
