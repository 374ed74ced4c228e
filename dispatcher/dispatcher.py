"""The one process that moves work: record, take back, send, publish, again and again."""

import contextlib
import logging
import time
from collections.abc import Sequence

from celery import Celery
from redis.exceptions import ResponseError

from dispatcher.forecasting import Forecaster
from dispatcher.losses import LossWatch
from dispatcher.metering import Meter
from dispatcher.recording import Outcome, Recorder
from dispatcher.roster import Roster
from dispatcher.sending import Departure, Sender, Sending, utc_now
from jobs.artifacts import ArtifactStore, attempt_folder, shard_folder
from jobs.broker import SEND_ERRORS, make_app, send_shard
from jobs.database import Database
from jobs.errors import ArtifactStoreError
from jobs.settings import DispatcherSettings
from jobs.store import drained_workers, held_shards
from jobs.streams import DispatcherStreams, Entry, StreamError

log = logging.getLogger(__name__)

BATCH = 500  # entries of the reports stream per pass
SLOW_PASS_SECONDS = 5.0  # after such a pass nobody's silence counts
SEND_TIMEOUT_SECONDS = 3.0
HOUSEKEEPING_SECONDS = 30.0


class Dispatcher:
    """One loop; all it remembers can be lost, and every write of it is guarded."""

    def __init__(self, settings: DispatcherSettings) -> None:
        """Open what the settings name."""
        self._settings = settings
        self._database = Database(settings.database_url)
        self._artifacts = ArtifactStore(settings.artifacts_url)
        self._streams = DispatcherStreams(settings.redis_url)
        self._celery: Celery = make_app(settings.redis_url, timeout_seconds=SEND_TIMEOUT_SECONDS)
        self._roster = Roster(settings.lease_seconds)
        self._meter = Meter()
        self._recorder = Recorder(self._roster, settings.max_losses, self._meter)
        self._sender = Sender(self._roster, settings.resend_seconds)
        self._losses = LossWatch(self._roster, self._artifacts, settings.lease_seconds)
        self._forecaster = Forecaster()
        self._has_redis = False
        self._reads_pending = True
        self._next_housekeeping = 0.0
        with self._database.read() as session:
            self._sender.remember_sent(session)

    def close(self) -> None:
        """Close all connections."""
        self._celery.close()
        self._streams.close()
        self._database.close()

    def run_pass(self) -> None:
        """Wait for messages for a moment, then do all that is to be done."""
        began = time.monotonic()
        try:
            entries, has_read_all = self._read()
        except StreamError as error:
            self._miss_redis(error)
            self._roster.renew_leases()
            time.sleep(min(1.0, self._settings.poll_seconds))
            return
        if has_read_all:
            self._roster.note_listening(began)
        started = time.monotonic()
        try:
            self._work(entries, has_read_all)
        except BaseException:
            self._reads_pending = True  # nothing was acknowledged: read it again
            self._roster.renew_leases()
            raise
        if time.monotonic() - started > SLOW_PASS_SECONDS:
            log.warning("a pass took %.1f s: leases begin anew", time.monotonic() - started)
            self._roster.renew_leases()

    def _miss_redis(self, error: StreamError) -> None:
        if self._has_redis:
            log.warning("Redis is away: %s", error)
        self._has_redis = False

    def _read(self) -> tuple[list[Entry], bool]:
        """New entries, and whether these were all."""
        if not self._has_redis:
            self._streams.make_group()
            self._welcome_redis()
        is_pending = self._reads_pending
        try:
            entries = self._streams.read(
                pending=is_pending,
                count=BATCH,
                block_seconds=self._settings.poll_seconds,
            )
        except ResponseError as error:
            if "NOGROUP" not in str(error):
                raise
            log.warning("Redis lost its data: starting anew")
            self._streams.make_group()
            self._welcome_redis()
            return [], False
        if not entries:
            self._reads_pending = False
        return entries, not is_pending and len(entries) < BATCH

    def _welcome_redis(self) -> None:
        """Redis is there (again), perhaps empty: nobody's silence until now counts."""
        self._roster.renew_leases()
        self._streams.publish_reset()
        self._reads_pending = True
        self._has_redis = True

    def _work(self, entries: Sequence[Entry], has_read_all: bool) -> None:
        outcome = Outcome()
        with self._database.read() as session:
            held = held_shards(session)
            self._roster.drained = drained_workers(session)
        self._meter.tick(held)
        silent = self._losses.find_silent(held) if has_read_all else []
        sending = Sending()
        with self._database.write() as session:
            messages = [entry.message for entry in entries if entry.message is not None]
            self._recorder.record(session, messages, outcome)
            self._losses.take_back(
                session, silent, self._recorder, outcome, self._settings.max_losses
            )
            self._recorder.finish(session, outcome)
            for shard_id, worker in outcome.returned:
                self._sender.delay(session, shard_id, worker)
            self._meter.flush(session, utc_now())
            if has_read_all:  # else who is free, and what is unanswered, is not known yet
                self._sender.repeat_unanswered(session, sending)
                self._sender.fill_slots(session, sending)
                self._recorder.finish_broken(session, sending.broken, outcome)
            self._forecaster.note(session, outcome.hinted, sending.started)
        self._after_commit(entries, outcome, sending.departures)

    def _after_commit(
        self, entries: Sequence[Entry], outcome: Outcome, departures: Sequence[Departure]
    ) -> None:
        for queue, order in departures:
            try:
                send_shard(self._celery, queue, order)
            except SEND_ERRORS as error:  # this and the rest are sent again: no report comes
                log.warning("could not send shard %s: %s", order.shard_id, error)
                break
        try:
            if outcome.orders:
                self._streams.send_orders(outcome.orders)
            self._streams.acknowledge([entry.id for entry in entries])
            if outcome.updates:
                self._streams.publish(outcome.updates)
        except StreamError as error:  # all is said anew when Redis is welcomed
            self._miss_redis(error)
        for job_id, shard_id, attempt, worker in outcome.succeeded:
            self._keep_only(job_id, shard_id, attempt_folder(job_id, shard_id, attempt, worker))
        self._keep_house()

    def _keep_only(self, job_id: str, shard_id: str, kept: str) -> None:
        """An ended shard keeps only its holder's folder."""
        folder = shard_folder(job_id, shard_id)
        try:
            for name in self._artifacts.names(folder):
                if f"{folder}/{name}" != kept:
                    self._artifacts.delete(f"{folder}/{name}")
        except ArtifactStoreError as error:
            log.warning("cannot tidy up after shard %s: %s", shard_id, error)

    def _keep_house(self) -> None:
        now = time.monotonic()
        if now < self._next_housekeeping:
            return
        self._next_housekeeping = now + HOUSEKEEPING_SECONDS
        with self._database.read() as session:
            self._meter.forget_all_but(held_shards(session))
        with contextlib.suppress(StreamError):
            for queue in self._roster.forget_the_gone():
                self._streams.forget_queue(queue)
