"""What the rows say of many attempts, read at once: it saves statements that would do nothing."""

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from jobs import transitions
from jobs.contract import ACTIVE_VALUES, JobStatus
from jobs.tables import Shard


class Standing(NamedTuple):
    """The columns that decide whose word counts."""

    attempt: int
    status: str
    holder: str | None
    sent_to: str | None


class Standings:
    """How shards stood when this transaction began; whoever changes one forgets it here."""

    def __init__(self, session: Session, shard_ids: Iterable[str]) -> None:
        """Read them all."""
        self._session = session
        columns = (Shard.id, Shard.attempt, Shard.status, Shard.holder, Shard.sent_to)
        rows = session.execute(select(*columns).where(Shard.id.in_(set(shard_ids))))
        self._known = {
            shard_id: Standing(attempt, status, holder, sent_to)
            for shard_id, attempt, status, holder, sent_to in rows
        }

    def forget(self, shard_id: str) -> None:
        """This shard has been changed since."""
        self._known.pop(shard_id, None)

    def may_wait(self, shard_id: str, attempt: int) -> bool:
        """Whether this attempt may be waiting to run; what is not known may be."""
        known = self._known.get(shard_id)
        return known is None or (known.attempt, known.status) == (attempt, JobStatus.QUEUED)

    def may_run(self, shard_id: str, attempt: int, worker: str) -> bool:
        """As `transitions.may_run`."""
        known = self._known.get(shard_id)
        if known is None:
            return transitions.may_run(self._session, shard_id, attempt, worker)
        is_its = known.holder == worker or (known.holder is None and known.sent_to is not None)
        is_open = known.status in ACTIVE_VALUES
        return known.attempt == attempt and is_its and is_open
