"""What a kind of job must say of itself."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from sqlalchemy.orm import Session

from jobs.contract import Contract
from jobs.requests import CheckpointReference
from jobs.tables import Job, Shard
from jobs.works import AnyWork

Params = TypeVar("Params", bound=Contract)


@dataclass(frozen=True)
class Part:
    """A shard to be: its kind, its images and how much there is to do, in the job's unit."""

    kind: str
    total: int
    first_image: int = 0
    image_count: int = 0


class Kind(ABC, Generic[Params]):
    """A kind of job, from its parameters to what its workers are told."""

    params: type[Params]
    trains = False  # whether its jobs have curves

    @abstractmethod
    def prepare(self, session: Session, params: Params) -> Params:
        """Check what the parameters name, and decide what they leave open (a seed).

        Raises:
            jobs.errors.JobError: something that they name does not exist or does not fit; its
                details have `field` and `value`.
        """

    @abstractmethod
    def unit(self, params: Params) -> str:
        """What the job's progress counts."""

    def networks(self, params: Params) -> Sequence[CheckpointReference]:
        """Checkpoints that an engine keeps loaded for the next shard."""
        return ()

    @abstractmethod
    def split(self, params: Params, shard_images: int) -> Sequence[Part]:
        """The shards of a job in order; one of kind `assemble` waits for all before it."""

    @abstractmethod
    def work(self, session: Session, job: Job, shard: Shard, params: Params) -> AnyWork:
        """Everything that a worker needs to run this shard."""
