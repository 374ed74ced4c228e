"""Decide which shard goes to which worker, and write its message."""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from dispatcher.matching import Matcher, Slot
from dispatcher.roster import Clock, Roster
from jobs import job_transitions, store, transitions
from jobs.contract import ErrorInfo, JobStatus
from jobs.kinds import KINDS
from jobs.kinds.references import require_checkpoint_row
from jobs.messages import ShardOrder
from jobs.pauses import ALL, paused_scopes
from jobs.queue_order import (
    LONGEST_PAUSE,
    Runnable,
    WaitingShard,
    can_run,
    front_of_queue,
    kinds_of,
)
from jobs.tables import Job, Shard
from jobs.usage import note_served

log = logging.getLogger(__name__)

FIRST_PAUSE = timedelta(seconds=1)  # after a hand-back; doubles with each
LOOK_AHEAD = 8  # shards beyond the free slots, of which one may be warm
KEPT_NETWORKS = 1000  # jobs of which it is known what they need loaded

Departure = tuple[str, ShardOrder]  # a worker's queue, and what goes there


def utc_now() -> datetime:
    """The time of day."""
    return datetime.now(UTC)


@dataclass
class Sending:
    """What leaves after the commit, and which jobs ended because no message can be made of them."""

    departures: list[Departure] = field(default_factory=list)
    started: list[str] = field(default_factory=list)  # jobs of which a shard leaves
    broken: list[str] = field(default_factory=list)  # jobs, with those that waited for them


class Sender:
    """Fills free slots in the order of the queue; repeats what nobody answered."""

    def __init__(
        self,
        roster: Roster,
        resend_seconds: float,
        now: Callable[[], datetime] = utc_now,
        clock: Clock = time.monotonic,
    ) -> None:
        """Take slots from `roster`; an unanswered message is repeated after `resend_seconds`."""
        self._roster = roster
        self._resend_seconds = resend_seconds
        self._now = now
        self._matcher = Matcher(clock)
        self._networks: OrderedDict[str, frozenset[str]] = OrderedDict()

    def delay(self, session: Session, shard_id: str, worker: str) -> None:
        """The shard was handed back: it is sent again after 1, 2, 4, … 60 s."""
        shard = session.get_one(Shard, shard_id, populate_existing=True)
        now, last = self._now(), shard.not_before
        is_again = last is not None and abs(now - last) < 2 * LONGEST_PAUSE
        hand_backs = shard.hand_backs + 1 if is_again else 1
        pause = min(FIRST_PAUSE * 2 ** min(hand_backs - 1, 10), LONGEST_PAUSE)
        transitions.delay(session, shard_id, now + pause, hand_backs, worker)

    def remember_sent(self, session: Session) -> None:
        """Learn, after a start or a pass in vain, which messages may be on their way."""
        self._roster.sent.clear()
        for shard in store.active_shards(session):
            if shard.sent_to is not None:
                self._roster.note_sent(shard.id, shard.attempt, shard.sent_to)

    def repeat_unanswered(self, session: Session, sending: Sending) -> None:
        """Send again what no report answered, to another worker where there is one."""
        for shard_id, sent in self._roster.unanswered(self._resend_seconds).items():
            shard = session.get(Shard, shard_id, populate_existing=True)
            if shard is None or shard.status != JobStatus.QUEUED or shard.sent_to is None:
                del self._roster.sent[shard_id]
                continue
            job = session.get_one(Job, shard.job_id)
            free = [w for w in self._roster.free_workers() if self._can_run(w, job, shard)]
            others = [worker for worker in free if worker != sent.worker]
            same = [sent.worker] if self._roster.takes_work(sent.worker) else []
            for worker in (others + same)[:1]:
                order = self._order(session, shard, shard.attempt, sending)
                if order and transitions.send_again(session, shard_id, shard.attempt, worker):
                    log.info("no report of shard %s: sent again, to %s", shard_id, worker)
                    self._depart(order, worker, sending)

    def _can_run(self, worker: str, job: Job, shard: Shard) -> bool:
        return can_run(kinds_of(self._roster.capabilities_of(worker)), job.kind, shard.kind)

    def fill_slots(self, session: Session, sending: Sending) -> None:
        """Send waiting shards to free slots; nothing while the queue is paused."""
        slots = [self._slot(worker) for worker in self._roster.free_workers()]
        if not slots:
            return
        paused = paused_scopes(session)
        if ALL in paused:
            return
        while slots:  # kinds and broken shards leave slots free for shards further back
            broken = len(sending.broken)
            filled = self._fill(session, slots, paused, sending)
            if not filled and len(sending.broken) == broken:
                return
            for slot in filled:
                slots.remove(slot)

    def _fill(
        self, session: Session, slots: list[Slot], paused: frozenset[str], sending: Sending
    ) -> list[Slot]:
        now = self._now()
        front = front_of_queue(
            session, now, len(slots) + LOOK_AHEAD, Runnable(_kinds_of_any(slots), paused)
        )
        matches = self._matcher.match(front, slots, lambda shard: self._needs(session, shard))
        shards = store.read_shards(session, [waiting.shard_id for waiting, _ in matches])
        filled = []
        for waiting, slot in matches:
            shard = shards[waiting.shard_id]
            order = self._order(session, shard, waiting.attempt + 1, sending)
            if order and transitions.send_anew(session, shard.id, waiting.attempt, slot.worker):
                self._depart(order, slot.worker, sending)
                filled.append(slot)
        sent = {shard.submitter for shard, slot in matches if slot in filled}
        note_served(session, sent, now)
        return filled

    def _slot(self, worker: str) -> Slot:
        capabilities = self._roster.capabilities_of(worker)
        warm = capabilities.get("warm")
        return Slot(
            worker,
            kinds_of(capabilities),
            frozenset(map(str, warm)) if isinstance(warm, list) else frozenset(),
        )

    def _needs(self, session: Session, shard: WaitingShard) -> frozenset[str]:
        """The hashes of the networks that an engine loads for this shard."""
        if shard.kind == "assemble":
            return frozenset()
        if shard.job_id not in self._networks:
            job = session.get_one(Job, shard.job_id)
            self._networks[shard.job_id] = _networks_of(session, job)
            while len(self._networks) > KEPT_NETWORKS:
                self._networks.popitem(last=False)
        return self._networks[shard.job_id]

    def _order(
        self, session: Session, shard: Shard, attempt: int, sending: Sending
    ) -> ShardOrder | None:
        """The message of a shard; None if none can be made, and then the shard has failed."""
        try:
            return shard_order(session, shard, attempt)
        except SQLAlchemyError:
            raise
        except LookupError as error:
            what = ErrorInfo(code="input_gone", message=f"what the shard needs is gone: {error}")
        except Exception as error:
            log.exception("no message can be made of shard %s", shard.id)
            reason = f"{type(error).__name__}: {error}"
            what = ErrorInfo(
                code="order_failed", message=f"no message can be made of the shard: {reason}"
            )
        if transitions.fail_unsent(session, shard.id, shard.attempt, what):
            log.warning("shard %s fails: %s", shard.id, what.message)
            sending.broken += job_transitions.refresh_job(session, shard.job_id)
        return None

    def _depart(self, order: ShardOrder, worker: str, sending: Sending) -> None:
        self._roster.note_sent(order.shard_id, order.attempt, worker)
        sending.departures.append((self._roster.queue_of(worker), order))
        sending.started.append(order.job_id)


def _kinds_of_any(slots: list[Slot]) -> frozenset[str] | None:
    """Kinds that at least one of these slots runs; None: all."""
    kinds: set[str] = set()
    for slot in slots:
        if slot.kinds is None:
            return None
        kinds |= slot.kinds
    return frozenset(kinds)


def _networks_of(session: Session, job: Job) -> frozenset[str]:
    kind = KINDS[job.kind]
    try:
        named = kind.networks(kind.params.model_validate(job.params))
        return frozenset(require_checkpoint_row(session, each).sha256 for each in named)
    except (LookupError, ValueError):  # its message will say so
        return frozenset()


def shard_order(session: Session, shard: Shard, attempt: int) -> ShardOrder:
    """The message that carries everything that this shard needs.

    Raises:
        LookupError: something that it needs is gone.
    """
    job = session.get_one(Job, shard.job_id)
    kind = KINDS[job.kind]
    work = kind.work(session, job, shard, kind.params.model_validate(job.params))
    return ShardOrder(job_id=job.id, shard_id=shard.id, attempt=attempt, work=work)
