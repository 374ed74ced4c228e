"""Write what workers report into the database, and decide what to answer them."""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from sqlalchemy.orm import Session

from dispatcher.metering import Meter
from dispatcher.outcome import Outcome
from dispatcher.roster import Roster
from dispatcher.telling import tell_of_jobs
from jobs import __version__, job_transitions, store, transitions
from jobs.artifacts import attempt_folder
from jobs.contract import ArtifactRole
from jobs.messages import (
    PROTOCOL,
    Heartbeat,
    Hint,
    Order,
    OrderType,
    Report,
    ReportStatus,
    Stranger,
)
from jobs.standings import ShardFacts, Standings
from jobs.tables import Job
from jobs.timings import amount_of, device_words, timing_of
from jobs.transitions import Recorded
from jobs.views import unit_of
from jobs.workers import note_worker, note_workers

log = logging.getLogger(__name__)


def newest(messages: Iterable[Report | Heartbeat | Hint | Stranger]) -> list[Report | Heartbeat]:
    """The newest of each attempt's reports and of each worker's heartbeats, at the first's place.

    They are states, not events: what one of them says holds for all that it replaces, and its
    acknowledgement too.
    """
    kept: dict[tuple[str, ...], Report | Heartbeat] = {}
    for message in messages:
        if isinstance(message, Report):
            key = (message.shard_id, str(message.attempt), message.worker)
            other = kept.get(key)
            if not isinstance(other, Report) or other.seq <= message.seq:
                kept[key] = message
        elif isinstance(message, Heartbeat):
            kept[(message.worker,)] = message
    return list(kept.values())


class Recorder:
    """Turns messages into guarded writes."""

    def __init__(self, roster: Roster, max_losses: int, meter: Meter | None = None) -> None:
        """Tell `roster` what is heard; a shard fails at `max_losses`; `meter` times attempts."""
        self._roster = roster
        self._max_losses = max_losses
        self._meter = meter or Meter()
        self._notices: dict[str, str] = {}  # shard → what was recorded last

    def record(
        self,
        session: Session,
        messages: Iterable[Report | Heartbeat | Hint | Stranger],
        outcome: Outcome,
    ) -> None:
        """Write a batch of messages in their order."""
        heard = list(messages)
        for message in heard:
            if isinstance(message, Hint):
                outcome.hinted.add(message.job_id)
            elif isinstance(message, Stranger):
                self._record_stranger(session, message, outcome)
            else:
                self._roster.hear(message)
        said = newest(heard)
        note_workers(session, [each for each in said if isinstance(each, Heartbeat)])
        standings = Standings(session, _mentioned(said))
        reports = [each for each in said if isinstance(each, Report)]
        sure = self._record_sure(session, reports, standings)
        for message in said:
            if isinstance(message, Heartbeat):
                self._obey_heartbeat(session, message, outcome, standings)
            elif recorded := sure.get(message.shard_id):
                self._follow_up(session, message, recorded, outcome, standings)
            else:
                self.record_report(session, message, outcome, standings)

    def _record_sure(
        self, session: Session, reports: Sequence[Report], standings: Standings
    ) -> dict[str, Recorded]:
        """Write at once what certainly counts, nearly all; by shard, what became of it."""
        of_shard = Counter(report.shard_id for report in reports)
        alone = [report for report in reports if of_shard[report.shard_id] == 1]
        first = [report for report in alone if standings.is_first(report)]
        by_holder = [report for report in alone if standings.is_of_holder(report)]
        transitions.record_many(session, first, by_holder, self._max_losses)
        recorded = {report.shard_id: Recorded(True, is_change=True) for report in first}
        for report in by_holder:
            recorded[report.shard_id] = Recorded(True, is_change=report.status.is_final)
        return recorded

    def record_report(
        self, session: Session, report: Report, outcome: Outcome, standings: Standings
    ) -> None:
        """Write one report if it counts, and acknowledge it in either case."""
        may_wait = standings.may_wait(report.shard_id, report.attempt)
        recorded = transitions.record_report(session, report, self._max_losses, may_wait=may_wait)
        self._follow_up(session, report, recorded, outcome, standings)

    def _follow_up(
        self,
        session: Session,
        report: Report,
        recorded: Recorded,
        outcome: Outcome,
        standings: Standings,
    ) -> None:
        """Acknowledge a report, and see to what follows from it."""
        attempt = (report.shard_id, report.attempt)
        if recorded.is_change:
            standings.forget(report.shard_id)
        outcome.orders.append((report.worker, _order(OrderType.ACKNOWLEDGE, report)))
        if recorded.counts or recorded.is_change:
            is_change = recorded.is_change or self._is_new_notice(report)
            outcome.touch(report.job_id, is_change=is_change)
        if not recorded.counts:
            _stop_unless_it_may_run(standings, report.worker, attempt, outcome)
            return
        if report.status is ReportStatus.RUNNING:
            if recorded.is_change:
                self._meter.begin(report.shard_id, report.attempt)
            return
        if report.status is ReportStatus.SUCCEEDED:
            shard = standings.facts[report.shard_id]
            self._note_timing(session, shard, report)
            outcome.made.append(store.Made(shard.job_id, report.shard_id, report.artifacts))
            if report.attempt > 1 or report.saved_step:  # a repeated first message: with its job
                kept = attempt_folder(shard.job_id, report.shard_id, report.attempt, report.worker)
                outcome.to_tidy.append((shard.job_id, report.shard_id, kept))
        elif report.status is ReportStatus.RETURNED:
            outcome.returned.append((report.shard_id, report.worker))
        elif report.status is ReportStatus.LOST:
            log.warning(
                "shard %s lost its engine (attempt %d on %s): %s",
                report.shard_id,
                report.attempt,
                report.worker,
                report.error.message if report.error else "no reason given",
            )

    def _note_timing(self, session: Session, shard: ShardFacts, report: Report) -> None:
        """How long a whole shard takes on that device; one that was resumed does not say."""
        seconds = self._meter.end(report.shard_id, report.attempt)
        device = device_words(self._roster.capabilities_of(report.worker))
        if seconds is None or report.attempt != 1 or device is None:
            return
        unit = unit_of(session.get_one(Job, shard.job_id))
        amount = amount_of(shard.total, shard.image_count)
        self._meter.keep(timing_of(shard.kind, amount, device, unit, seconds))

    def _is_new_notice(self, report: Report) -> bool:
        """Whether pages have to show something else than before."""
        before = self._notices.pop(report.shard_id, None)
        if report.notice is not None and not report.status.is_final:
            self._notices[report.shard_id] = report.notice
        return self._notices.get(report.shard_id) != before

    def _obey_heartbeat(
        self, session: Session, beat: Heartbeat, outcome: Outcome, standings: Standings
    ) -> None:
        """A worker knows whether it is drained; what it still runs goes on, or is to be stopped."""
        is_drained = beat.worker in self._roster.drained
        if is_drained != beat.draining:  # a worker that leaves does not listen to the second
            order_type = OrderType.DRAIN if is_drained else OrderType.RESUME
            outcome.orders.append((beat.worker, Order(type=order_type)))
        for running in beat.running:
            attempt = (running.shard_id, running.attempt)
            if standings.may_wait(*attempt) and transitions.resume_holder(
                session, *attempt, beat.worker
            ):
                log.info("shard %s goes on: %s was heard again", running.shard_id, beat.worker)
                standings.forget(running.shard_id)
                outcome.touch(standings.facts[running.shard_id].job_id, is_change=True)
            _stop_unless_it_may_run(standings, beat.worker, attempt, outcome)

    def _record_stranger(self, session: Session, stranger: Stranger, outcome: Outcome) -> None:
        """It is listed and told, and nothing that it says of shards is understood."""
        note_worker(session, stranger)
        if self._roster.hear_stranger(stranger.worker):
            log.warning(
                "worker %s (version %s) speaks protocol %d, not %d: it gets no work",
                stranger.worker,
                stranger.version,
                stranger.protocol,
                PROTOCOL,
            )
            order = Order(type=OrderType.INCOMPATIBLE, protocol=PROTOCOL, version=__version__)
            outcome.orders.append((stranger.worker, order))

    def finish(self, session: Session, outcome: Outcome) -> None:
        """Keep what shards made, bring the touched jobs up, and stop what works for ended ones."""
        _keep_made(session, outcome)
        for job_id in job_transitions.refresh_jobs(session, list(outcome.touched)):
            outcome.touch(job_id, is_change=True)
        session.flush()
        tell_of_jobs(session, outcome)

    def finish_broken(self, session: Session, job_ids: Sequence[str], outcome: Outcome) -> None:
        """Jobs with a shard of which no message could be made fail, and are told of."""
        if not job_ids:
            return
        late = Outcome()
        for job_id in job_ids:
            late.touch(job_id, is_change=True)
        self.finish(session, late)
        outcome.orders += late.orders
        outcome.updates += late.updates


def _keep_made(session: Session, outcome: Outcome) -> None:
    """What shards made in a whole pass, at once."""
    if outcome.made:
        store.add_artifacts(session, outcome.made)
    for job_id, _, records in outcome.made:
        if any(record.role is ArtifactRole.CHECKPOINT for record in records):
            store.add_trained_checkpoints(session, session.get_one(Job, job_id), records)


def _mentioned(messages: Iterable[Report | Heartbeat]) -> Iterator[str]:
    """Ids of the shards that are spoken of."""
    for message in messages:
        if isinstance(message, Report):
            yield message.shard_id
        else:
            yield from (running.shard_id for running in message.running)


def _stop_unless_it_may_run(
    standings: Standings, worker: str, attempt: tuple[str, int], outcome: Outcome
) -> None:
    if not standings.may_run(*attempt, worker):
        order = Order(type=OrderType.STOP, shard_id=attempt[0], attempt=attempt[1])
        outcome.orders.append((worker, order))


def _order(order_type: OrderType, report: Report) -> Order:
    return Order(type=order_type, shard_id=report.shard_id, attempt=report.attempt, seq=report.seq)
