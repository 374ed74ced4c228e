"""What consumer and engine say to each other: one JSON object a line, over the engine's pipes."""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from jobs.contract import Contract, Curves, ErrorInfo
from jobs.messages import ArtifactRecord, ShardOrder


class Interrupt(StrEnum):
    """How a running shard can be broken off."""

    STOP = "stop"  # what it does counts no more
    RETURN = "return"  # save, and hand it back


class RunCommand(Contract):
    """Run this shard."""

    type: Literal["run"] = "run"
    worker: str
    order: ShardOrder


class InterruptCommand(Contract):
    """Break off the running shard."""

    type: Literal["interrupt"] = "interrupt"
    interrupt: Interrupt


Command = Annotated[RunCommand | InterruptCommand, Field(discriminator="type")]
command_adapter: TypeAdapter[RunCommand | InterruptCommand] = TypeAdapter(Command)


class Ready(Contract):
    """The engine has loaded, and waits for work."""

    type: Literal["ready"] = "ready"
    capabilities: dict[str, Any]


class Warm(Contract):
    """Which checkpoints the engine has loaded, by their SHA-256: the next shard finds them warm."""

    type: Literal["warm"] = "warm"
    checkpoints: list[str]


class Working(Contract):
    """The shard goes on: how far it is, its newest saved step, resident memory, its curves.

    `notice` says what hinders it, for people.
    """

    type: Literal["working"] = "working"
    done: int
    saved_step: int
    memory_bytes: int
    curves: Curves = Field(default_factory=dict)
    notice: str | None = None


class PreviewMade(Contract):
    """A PNG sheet of the predicted x_0 of the running images, base64."""

    type: Literal["preview"] = "preview"
    png_base64: str


class Finished(Contract):
    """The shard is done, and its manifest is published."""

    type: Literal["finished"] = "finished"
    done: int
    saved_step: int = 0
    artifacts: list[ArtifactRecord]


class Failed(Contract):
    """The shard would fail again."""

    type: Literal["failed"] = "failed"
    error: ErrorInfo


class Interrupted(Contract):
    """The shard was broken off as asked."""

    type: Literal["interrupted"] = "interrupted"
    interrupt: Interrupt
    saved_step: int


EngineEvent = Ready | Warm | Working | PreviewMade | Finished | Failed | Interrupted
event_adapter: TypeAdapter[EngineEvent] = TypeAdapter(
    Annotated[EngineEvent, Field(discriminator="type")]
)
