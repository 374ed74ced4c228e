"""The one process that moves work: record, take back, send, publish, again and again."""

import contextlib
import logging
import time
from collections.abc import Sequence

from celery import Celery
from redis.exceptions import ResponseError

from dispatcher.arbiter import Arbiter, Decision
from dispatcher.housekeeper import Housekeeper
from jobs.artifacts import ArtifactStore
from jobs.broker import SEND_ERRORS, make_app, send_shard
from jobs.database import Database
from jobs.messages import Heartbeat
from jobs.settings import DispatcherSettings
from jobs.streams import DispatcherStreams, Entry, StreamError

log = logging.getLogger(__name__)

BATCH = 500  # entries of the reports stream per pass
SLOW_PASS_SECONDS = 5.0  # after such a pass nobody's silence counts
REST = 1.0  # times as long as a pass took: under load the next one then has more to read at once
LONGEST_REST_SECONDS = 0.02
SEND_TIMEOUT_SECONDS = 3.0
HOUSEKEEPING_SECONDS = 30.0


class Dispatcher:
    """One loop between Redis and the arbiter."""

    def __init__(self, settings: DispatcherSettings) -> None:
        """Open what the settings name."""
        self._settings = settings
        self._database = Database(settings.database_url)
        self._streams = DispatcherStreams(settings.redis_url)
        self._celery: Celery = make_app(settings.redis_url, timeout_seconds=SEND_TIMEOUT_SECONDS)
        artifacts = ArtifactStore(settings.artifacts_url)
        self._arbiter = Arbiter(self._database, artifacts, settings)
        self._has_redis = False
        self._reads_pending = True
        self._next_housekeeping = 0.0
        self._housekeeper = Housekeeper(self._database, artifacts, settings.keep_days)

    def close(self) -> None:
        """Close all connections."""
        self._housekeeper.close()
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
            self._arbiter.renew_leases()
            time.sleep(min(1.0, self._settings.poll_seconds))
            return
        started = time.monotonic()
        try:
            self._work(entries, began if has_read_all else None)
        except BaseException:
            self._reads_pending = True  # nothing was acknowledged: read it again
            self._arbiter.renew_leases()
            raise
        worked = time.monotonic() - started
        if worked > SLOW_PASS_SECONDS:
            log.warning("a pass took %.1f s: leases begin anew", worked)
            self._arbiter.renew_leases()
        if entries:  # a pass costs about as much for one message as for ten
            time.sleep(min(REST * worked, LONGEST_REST_SECONDS))

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
        self._arbiter.renew_leases()
        self._streams.publish_reset()
        self._reads_pending = True
        self._has_redis = True

    def _work(self, entries: Sequence[Entry], listened_until: float | None) -> None:
        messages = [
            entry.message
            for entry in entries
            if entry.message is not None and not self._is_of_the_past(entry)
        ]
        decision = self._arbiter.decide(messages, listened_until)
        self._send(decision)
        try:
            outcome = decision.outcome
            self._streams.conclude(
                orders=outcome.orders,
                entry_ids=[entry.id for entry in entries],
                updates=outcome.updates,
                reset=outcome.workers_changed,  # pages that show workers look at them anew
            )
        except StreamError as error:  # all is said anew when Redis is welcomed
            self._miss_redis(error)
        for job_id, shard_id, kept in decision.outcome.to_tidy:
            self._housekeeper.tidy(job_id, shard_id, kept)
        self._keep_house()

    def _is_of_the_past(self, entry: Entry) -> bool:
        """Whether a worker said of itself what was so long ago, before we were here to read it."""
        is_heartbeat = isinstance(entry.message, Heartbeat)
        return is_heartbeat and entry.age_seconds > self._settings.lease_seconds

    def _send(self, decision: Decision) -> None:
        for queue, order in decision.departures:
            try:
                send_shard(self._celery, queue, order)
            except SEND_ERRORS as error:  # this and the rest are sent again: no report comes
                log.warning("could not send shard %s: %s", order.shard_id, error)
                return

    def _keep_house(self) -> None:
        now = time.monotonic()
        if now < self._next_housekeeping:
            return
        self._next_housekeeping = now + HOUSEKEEPING_SECONDS
        with contextlib.suppress(StreamError):
            for queue in self._arbiter.forget():
                self._streams.forget_queue(queue)
