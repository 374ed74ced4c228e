"""What travels over Redis between the dispatcher and its workers.

To a worker: a `ShardOrder` through Celery, `Order`s through its own stream. From it: `Report`s
and `Heartbeat`s through the reports stream, where the API's `Hint`s arrive too.
"""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from jobs.contract import NO_NUL, ArtifactRole, Contract, Curves, ErrorInfo, WorkerUsage
from jobs.works import Work

# What goes into the database fits its columns: one message that did not would hold all others up.
Kept = Annotated[str, Field(pattern=NO_NUL)]
WorkerId = Annotated[str, Field(max_length=128, pattern=NO_NUL)]
Count = Annotated[int, Field(ge=0, lt=2**31)]
LongCount = Annotated[int, Field(ge=0, lt=2**63)]

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
    name: Kept = Field(max_length=200)
    path: Kept = Field(max_length=500, description="Below the artifact store's URL.")
    shape: list[int]
    media_type: Kept = Field(max_length=100)
    size_bytes: LongCount
    sha256: Kept = Field(max_length=64)
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
    worker: WorkerId
    done: Count
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

    shard_id: Kept
    attempt: Count


class Report(Contract):
    """The state of an attempt; the newest (`seq`) replaces all before it."""

    type: Literal["report"] = "report"
    worker: WorkerId
    job_id: Kept
    shard_id: Kept
    attempt: Count
    seq: int = Field(ge=1, lt=2**31, description="Grows with every report of this attempt.")
    status: ReportStatus
    done: Count = Field(0, description="In the unit of the job's progress.")
    saved_step: Count = Field(0, description="The newest step from which it can resume.")
    preview_version: LongCount = 0
    curves: Curves = Field(default_factory=dict, description="Whole each time: reports are states.")
    notice: Annotated[str, Field(pattern=NO_NUL)] | None = Field(
        None, description="What hinders it now, for people."
    )
    artifacts: list[ArtifactRecord] = Field(default_factory=list)
    error: ErrorInfo | None = None
    running: list[RunningShard] = Field(description="What occupies the worker's slots now.")


class Heartbeat(Contract):
    """A worker lives, and this is what it does."""

    type: Literal["heartbeat"] = "heartbeat"
    worker: WorkerId
    queue: str = Field(description="The Celery queue that only this worker reads.")
    host: Kept = Field(max_length=200)
    pid: int
    version: Kept = Field(max_length=64)
    protocol: int = PROTOCOL
    slots: Count
    usage: WorkerUsage | None = None
    running: list[RunningShard]
    draining: bool = False
    capabilities: dict[str, Any] = Field(default_factory=dict)


class Hint(Contract):
    """The API committed something about this job."""

    type: Literal["hint"] = "hint"
    job_id: Kept


class Stranger(BaseModel):
    """What can be read of the heartbeat of a worker that speaks another protocol.

    These fields keep their names in every protocol, so that each can say of another who it is.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: Literal["heartbeat"]
    worker: WorkerId
    protocol: Count
    host: Kept = Field("unknown", max_length=200)
    version: Kept = Field("unknown", max_length=64)


Message = Annotated[Report | Heartbeat | Hint, Field(discriminator="type")]
message_adapter: TypeAdapter[Report | Heartbeat | Hint] = TypeAdapter(Message)


class OrderType(StrEnum):
    """What the dispatcher can ask of a worker beside running a shard."""

    ACKNOWLEDGE = "acknowledge"  # the report (shard, attempt, seq) is recorded or ignored for good
    STOP = "stop"  # you do not hold this attempt, or its job was canceled
    DRAIN = "drain"  # take no more work, but stay
    RESUME = "resume"  # take work again
    INCOMPATIBLE = "incompatible"  # you speak another protocol than we do: you get no work


class Order(Contract):
    """One entry of a worker's own stream."""

    type: OrderType
    shard_id: str = ""
    attempt: int = 0
    seq: int = 0
    protocol: int = Field(0, description="Of the dispatcher, where that matters.")
    version: str = Field("", description="The same.")


class UnknownOrder(BaseModel):
    """What can be read of an order of another protocol; a worker logs it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: str = "unknown"
    protocol: int | None = None
    version: str = "unknown"
