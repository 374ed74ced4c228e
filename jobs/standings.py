"""What the rows say of many attempts, read at once: it saves statements that would do nothing."""

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from jobs import transitions
from jobs.contract import ACTIVE_VALUES, JobStatus
from jobs.messages import Report
from jobs.tables import SHARDS

_SHARD = SHARDS.c
_ROWS = select(
    *(_SHARD.id, _SHARD.job_id, _SHARD.kind, _SHARD.total, _SHARD.image_count),
    *(_SHARD.attempt, _SHARD.status, _SHARD.holder, _SHARD.sent_to, _SHARD.seq),
).where(_SHARD.id.in_(bindparam("ids", expanding=True)))


class Standing(NamedTuple):
    """The columns that decide whose word counts."""

    attempt: int
    status: str
    holder: str | None
    sent_to: str | None
    seq: int


class ShardFacts(NamedTuple):
    """What never changes of a shard."""

    job_id: str
    kind: str
    total: int
    image_count: int


class Standings:
    """How shards stood when this transaction began; whoever changes one forgets it here.

    Attributes:
        facts: of the shards that exist, by id.
    """

    def __init__(self, session: Session, shard_ids: Iterable[str]) -> None:
        """Read them all."""
        self._session = session
        self.facts: dict[str, ShardFacts] = {}
        self._known: dict[str, Standing] = {}
        for row in session.execute(_ROWS, {"ids": list(set(shard_ids))}):
            self.facts[row.id] = ShardFacts(row.job_id, row.kind, row.total, row.image_count)
            self._known[row.id] = Standing(
                row.attempt, row.status, row.holder, row.sent_to, row.seq
            )

    def forget(self, shard_id: str) -> None:
        """This shard has been changed since."""
        self._known.pop(shard_id, None)

    def may_wait(self, shard_id: str, attempt: int) -> bool:
        """Whether this attempt may be waiting to run; what is not known may be."""
        known = self._known.get(shard_id)
        return known is None or (known.attempt, known.status) == (attempt, JobStatus.QUEUED)

    def is_first(self, report: Report) -> bool:
        """Whether this is the first report of an attempt: if none comes before it, it counts."""
        known = self._known.get(report.shard_id)
        if known is None or known.sent_to is None or known.seq >= report.seq:
            return False
        unheard = (report.attempt, JobStatus.QUEUED, None)
        return (known.attempt, known.status, known.holder) == unheard

    def is_of_holder(self, report: Report) -> bool:
        """Whether the holder of a shard that runs says something new: it counts."""
        known = self._known.get(report.shard_id)
        if known is None or known.seq >= report.seq:
            return False
        running = (report.attempt, JobStatus.RUNNING, report.worker)
        return (known.attempt, known.status, known.holder) == running

    def may_run(self, shard_id: str, attempt: int, worker: str) -> bool:
        """As `transitions.may_run`."""
        known = self._known.get(shard_id)
        if known is None:
            return transitions.may_run(self._session, shard_id, attempt, worker)
        is_its = known.holder == worker or (known.holder is None and known.sent_to is not None)
        is_open = known.status in ACTIVE_VALUES
        return known.attempt == attempt and is_its and is_open
