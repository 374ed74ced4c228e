"""Decide which shard goes to which worker, and write its message."""

import logging
import time
from collections.abc import Callable

from sqlalchemy.orm import Session

from dispatcher.roster import Roster
from jobs import store, transitions
from jobs.contract import JobStatus
from jobs.kinds import KINDS
from jobs.messages import ShardOrder
from jobs.tables import Job, Shard

log = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 1.0  # after a hand-back; doubles with each
LONGEST_PAUSE_SECONDS = 60.0

Departure = tuple[str, ShardOrder]  # a worker's queue, and what goes there


class Sender:
    """Fills free slots in the order of the queue; repeats what nobody answered."""

    def __init__(
        self, roster: Roster, resend_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Take slots from `roster`; an unanswered message is repeated after `resend_seconds`."""
        self._roster = roster
        self._resend_seconds = resend_seconds
        self._clock = clock
        self._pauses: dict[str, tuple[float, float]] = {}  # shard → (length, until)

    def pause(self, shard_id: str) -> None:
        """The shard was handed back: it is sent again after 1, 2, 4, … 60 s."""
        last = self._pauses.get(shard_id, (FIRST_PAUSE_SECONDS / 2, 0.0))[0]
        length = min(last * 2, LONGEST_PAUSE_SECONDS)
        self._pauses[shard_id] = (length, self._clock() + length)

    def remember_sent(self, session: Session) -> None:
        """Learn after a start which messages may be on their way."""
        for shard in store.active_shards(session):
            if shard.sent_to is not None:
                self._roster.note_sent(shard.id, shard.attempt, shard.sent_to)

    def repeat_unanswered(self, session: Session) -> list[Departure]:
        """Send again what no report answered, to another worker where there is one."""
        departures: list[Departure] = []
        for shard_id, sent in self._roster.unanswered(self._resend_seconds).items():
            shard = store.find_shard(session, shard_id)
            if shard is None or shard.status != JobStatus.QUEUED or shard.sent_to is None:
                del self._roster.sent[shard_id]
                continue
            others = [w for w in self._roster.free_workers() if w != sent.worker]
            same = [sent.worker] if self._roster.is_alive(sent.worker) else []
            for worker in (others + same)[:1]:
                if transitions.send_again(session, shard_id, shard.attempt, worker):
                    log.info("no report of shard %s: sent again, to %s", shard_id, worker)
                    departures.append(self._depart(session, shard, shard.attempt, worker))
        return departures

    def fill_slots(self, session: Session) -> list[Departure]:
        """Send waiting shards to free slots."""
        free = self._roster.free_workers()
        if not free:
            return []
        now = self._clock()
        departures: list[Departure] = []
        query = store.sendable_shards(len(free) + len(self._pauses))
        for shard, _job in session.execute(query).all():
            if not free:
                break
            if self._pauses.get(shard.id, (0.0, 0.0))[1] > now:
                continue
            worker = free.pop(0)
            if transitions.send_anew(session, shard.id, shard.attempt, worker):
                session.refresh(shard)
                departures.append(self._depart(session, shard, shard.attempt, worker))
        return departures

    def forget_pauses(self) -> None:
        """Drop pauses that have long ended."""
        now = self._clock()
        self._pauses = {
            shard: pause
            for shard, pause in self._pauses.items()
            if now - pause[1] < 2 * LONGEST_PAUSE_SECONDS
        }

    def _depart(self, session: Session, shard: Shard, attempt: int, worker: str) -> Departure:
        self._roster.note_sent(shard.id, attempt, worker)
        return self._roster.queue_of(worker), shard_order(session, shard, attempt)


def shard_order(session: Session, shard: Shard, attempt: int) -> ShardOrder:
    """The message that carries everything that this shard needs."""
    job = session.get_one(Job, shard.job_id)
    kind = KINDS[job.kind]
    work = kind.work(session, job, shard, kind.params.model_validate(job.params))
    return ShardOrder(job_id=job.id, shard_id=shard.id, attempt=attempt, work=work)
