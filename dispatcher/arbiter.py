"""What one pass decides and writes. It knows neither Redis nor Celery, and can be moved alone."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from dispatcher.forecasting import Forecaster
from dispatcher.losses import LossWatch
from dispatcher.metering import Meter
from dispatcher.outcome import Outcome
from dispatcher.recording import Recorder
from dispatcher.roster import Roster
from dispatcher.sending import Departure, Sender, Sending, utc_now
from jobs.artifacts import ArtifactStore
from jobs.database import Database
from jobs.messages import Heartbeat, Hint, Report, Stranger
from jobs.settings import DispatcherSettings
from jobs.workers import drained_workers, held_shards

LOOK_SECONDS = 0.5  # between two looks for what has changed of the workers: people see it then


@dataclass(frozen=True)
class Decision:
    """What was committed, and what is now to be sent; all of it may be lost on the way."""

    outcome: Outcome
    departures: Sequence[Departure]


class Arbiter:
    """One transaction a pass; all it remembers can be lost, and every write of it is guarded."""

    def __init__(
        self,
        database: Database,
        artifacts: ArtifactStore,
        settings: DispatcherSettings,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        """Learn from `database` what may be on its way; every lease begins now.

        Silences are told by `clock`, which never jumps; what is kept is told by `now`.
        """
        self._database = database
        self._artifacts = artifacts
        self._max_losses = settings.max_losses
        self._roster = Roster(settings.lease_seconds, clock)
        self._now = now
        self._meter = Meter(clock)
        self._recorder = Recorder(self._roster, settings.max_losses, self._meter)
        self._sender = Sender(self._roster, settings.resend_seconds, now, clock)
        self._forecaster = Forecaster(clock)
        self._losses = LossWatch(self._roster, artifacts, settings.lease_seconds)
        self._clock = clock
        self._next_look = 0.0  # at the workers
        self._was_refused = False  # by the database, the last pass
        self._slots: dict[str, int] = {}  # of each listed worker, as was told last
        with database.read() as session:
            self._sender.remember_sent(session)

    def renew_leases(self) -> None:
        """Begin every lease anew: the silence may have been ours."""
        self._roster.renew_leases()

    def decide(
        self, messages: Sequence[Report | Heartbeat | Hint | Stranger], listened_until: float | None
    ) -> Decision:
        """Record what was said, take back what is lost, and fill the free slots.

        Args:
            messages: in the order in which they were read.
            listened_until: all that was said before this moment of the clock has been read with
                them; None if there is more to read: then who is silent or free is not known yet.

        Raises:
            SQLAlchemyError: the database refuses, and nothing was written.
        """
        outcome = Outcome()
        silent = []
        with self._database.read() as session:
            if self._was_refused:  # what was heard then was not recorded
                self._sender.remember_sent(session)
            held = held_shards(session)
            self._roster.drained = drained_workers(session)
        self._meter.tick(held)
        if listened_until is not None:
            self._roster.note_listening(listened_until)
            silent = self._losses.find_silent(held)
        sending = Sending()
        self._was_refused = True
        with self._database.write() as session:
            self._recorder.record(session, messages, outcome)
            self._losses.take_back(session, silent, self._recorder, outcome, self._max_losses)
            self._recorder.finish(session, outcome)
            for shard_id, worker in outcome.returned:
                self._sender.delay(session, shard_id, worker)
            self._meter.flush(session, self._now())
            if listened_until is not None:
                self._sender.repeat_unanswered(session, sending)
                self._sender.fill_slots(session, sending)
                self._recorder.finish_broken(session, sending.broken, outcome)
            self._forecaster.note(session, outcome.hinted, sending.started)
        self._was_refused = False
        outcome.workers_changed = self._have_workers_changed()
        return Decision(outcome, sending.departures)

    def _have_workers_changed(self) -> bool:
        """Whether others are listed than a moment ago, or with other slots."""
        if self._clock() < self._next_look:
            return False
        self._next_look = self._clock() + LOOK_SECONDS
        before, self._slots = self._slots, self._roster.slots_as_listed()
        return self._slots != before

    def forget(self) -> list[str]:
        """Forget attempts that run no more and workers long silent; give their queues."""
        with self._database.read() as session:
            self._meter.forget_all_but(held_shards(session))
        return self._roster.forget_the_gone()
