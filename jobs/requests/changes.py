"""What people change of a job or of the queue after the fact."""

from typing import Self

from pydantic import Field, model_validator

from jobs.contract import NO_NUL, Contract
from jobs.requests.base import Name, contradiction


class JobChange(Contract):
    """Another priority or name of a job that has not ended; what is left out stays."""

    priority: int = Field(
        0, ge=-100, le=100, description="Higher goes first; counts until a shard is sent."
    )
    name: Name | None = Field(None, description="A name for people; null: none.")

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if not self.model_fields_set:
            raise contradiction(["priority", "name"], "priority, name, or both")
        return self


class PauseRequest(Contract):
    """Why nothing new is to be sent."""

    reason: str = Field(
        min_length=1, max_length=200, pattern=NO_NUL, description="For those who wait."
    )
