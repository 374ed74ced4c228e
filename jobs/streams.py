"""The Redis streams: reports to the dispatcher, orders to a worker, updates to the web side.

Redis is only the road: every reader here can find its stream empty, and every writer can fail,
without anything being lost.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, cast

from pydantic import ValidationError
from redis import Redis
from redis.exceptions import RedisError, ResponseError

from jobs.broker import KEY_PREFIX
from jobs.contract import JobUpdate
from jobs.messages import (
    PROTOCOL,
    Heartbeat,
    Hint,
    Order,
    Report,
    Stranger,
    UnknownOrder,
    message_adapter,
)
from jobs.redis_access import connect

REPORTS = f"{KEY_PREFIX}reports"
UPDATES = f"{KEY_PREFIX}updates"
GROUP = "dispatcher"
REPORTS_MAXLEN = 100_000
UPDATES_MAXLEN = 10_000
ORDERS_MAXLEN = 1_000
ORDERS_EXPIRE_SECONDS = 600
PREVIEW_EXPIRE_SECONDS = 120
HINT_TIMEOUT_SECONDS = 0.12  # to connect, and again to send: at most 250 ms in all
FIELD = "data"
ANY_JOB = ""  # of a hint: the dispatcher looks at the queue

StreamError = RedisError  # what every method here may raise


class Entry(NamedTuple):
    """One entry of the reports stream; `message` is None if it cannot be understood."""

    id: str
    message: Report | Heartbeat | Hint | Stranger | None
    age_seconds: float = 0.0  # since it was said, by the clock of Redis


def _orders_key(worker: str) -> str:
    return f"{KEY_PREFIX}orders:{worker}"


def _preview_key(shard_id: str) -> str:
    return f"{KEY_PREFIX}preview:{shard_id}"


def _add_hint(redis: Redis, job_id: str) -> None:
    hint = Hint(job_id=job_id).model_dump_json()
    redis.xadd(REPORTS, {FIELD: hint}, maxlen=REPORTS_MAXLEN, approximate=True)


def _add_reset(redis: Redis) -> None:
    redis.xadd(UPDATES, {FIELD: ""}, maxlen=UPDATES_MAXLEN, approximate=True)


def entries_of(reply: Any) -> list[tuple[str, bytes]]:
    """Id and data of each entry of streams that Redis answered with."""
    if not reply:
        return []
    return [
        (entry_id.decode(), fields.get(FIELD.encode(), b""))
        for _stream, entries in reply
        for entry_id, fields in entries
        if fields is not None
    ]


class WorkerStreams:
    """What a worker does with the streams."""

    def __init__(self, redis_url: str, worker: str, block_seconds: float = 5) -> None:
        """Prepare two connections, one of them for blocking reads."""
        self._worker = worker
        self._redis = connect(redis_url, 10)
        self._blocking = connect(redis_url, block_seconds + 5)
        self._block_ms = int(block_seconds * 1000)

    def send(self, messages: Iterable[Report | Heartbeat]) -> None:
        """Add messages for the dispatcher."""
        pipeline = self._redis.pipeline(transaction=False)
        for message in messages:
            pipeline.xadd(
                REPORTS,
                {FIELD: message.model_dump_json()},
                maxlen=REPORTS_MAXLEN,
                approximate=True,
            )
        pipeline.execute()

    def read_orders(self, last_id: str) -> list[tuple[str, Order | UnknownOrder]]:
        """Block for orders after `last_id`, also of other versions."""
        reply = self._blocking.xread({_orders_key(self._worker): last_id}, block=self._block_ms)
        return [(i, _order(data)) for i, data in entries_of(reply)]

    def put_preview(self, shard_id: str, version: int, png: bytes) -> None:
        """Overwrite the preview of a shard."""
        self._redis.set(_preview_key(shard_id), b"%d\n" % version + png, ex=PREVIEW_EXPIRE_SECONDS)

    def waiting_messages(self, queue_key: str) -> int:
        """How many messages wait in a Celery queue."""
        return self._redis.llen(queue_key)


class DispatcherStreams:
    """What the dispatcher does with the streams."""

    def __init__(self, redis_url: str) -> None:
        """Prepare a connection; reads block for at most a few seconds on it."""
        self._redis = connect(redis_url, 10)

    def close(self) -> None:
        """Close the connection."""
        self._redis.close()

    def make_group(self) -> bool:
        """Make the consumer group that reads from 0; False if it was there."""
        try:
            self._redis.xgroup_create(REPORTS, GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise
            return False
        return True

    def read(self, *, pending: bool, count: int, block_seconds: float) -> list[Entry]:
        """Entries that were delivered but never acknowledged, or new ones (blocking).

        Raises:
            ResponseError: NOGROUP, if Redis lost everything.
        """
        reply = self._redis.xreadgroup(
            GROUP,
            "dispatcher",
            {REPORTS: "0" if pending else ">"},
            count=count,
            block=None if pending else max(1, int(block_seconds * 1000)),
        )
        entries = entries_of(reply)
        if not entries:
            return []
        seconds, microseconds = self._redis.time()
        now = seconds + microseconds / 1e6
        return [Entry(i, _message(data), now - _said_at(i)) for i, data in entries]

    def conclude(
        self,
        *,
        orders: Sequence[tuple[str, Order]] = (),
        entry_ids: Sequence[str] = (),
        updates: Sequence[JobUpdate] = (),
        reset: bool = False,
    ) -> None:
        """Say what a pass has done, in one round trip.

        Args:
            orders: (worker, order) pairs, for the workers' own streams.
            entry_ids: of reports that are recorded: they are dropped.
            updates: for the web side.
            reset: tell the web side, after them, that more has changed than they say.
        """
        pipeline = self._redis.pipeline(transaction=False)
        for worker, order in orders:
            pipeline.xadd(
                _orders_key(worker),
                {FIELD: order.model_dump_json(exclude_defaults=True)},  # older workers know it
                maxlen=ORDERS_MAXLEN,
                approximate=True,
            )
        for worker in {worker for worker, _ in orders}:
            pipeline.expire(_orders_key(worker), ORDERS_EXPIRE_SECONDS)
        if entry_ids:
            pipeline.xack(REPORTS, GROUP, *entry_ids)
            pipeline.xdel(REPORTS, *entry_ids)
        for update in updates:
            pipeline.xadd(
                UPDATES,
                {FIELD: update.model_dump_json()},
                maxlen=UPDATES_MAXLEN,
                approximate=True,
            )
        if reset:
            _add_reset(pipeline)
        if len(pipeline):
            pipeline.execute()

    def publish_reset(self) -> None:
        """Tell the web side that updates may be missing."""
        _add_reset(self._redis)

    def forget_queue(self, queue: str) -> None:
        """Drop what kombu keeps of a queue whose worker is gone."""
        self._redis.delete(f"{KEY_PREFIX}_kombu.binding.{queue}", f"{KEY_PREFIX}{queue}")


class WebStreams:
    """What the API does with the streams."""

    def __init__(self, redis_url: str) -> None:
        """Prepare connections that never make a request wait."""
        self._hasty = connect(redis_url, HINT_TIMEOUT_SECONDS)
        self._redis = connect(redis_url, 2)

    def hint(self, job_id: str) -> bool:
        """Tell the dispatcher to look at a job now; False if Redis is away, which is no harm."""
        try:
            _add_hint(self._hasty, job_id)
        except RedisError:
            return False
        return True

    def hint_all(self) -> bool:
        """Tell the dispatcher to look at the queue now, and all pages that it has changed."""
        pipeline = self._hasty.pipeline(transaction=False)
        _add_hint(pipeline, ANY_JOB)
        _add_reset(pipeline)
        try:
            pipeline.execute()
        except RedisError:
            return False
        return True

    def preview(self, shard_id: str) -> tuple[int, bytes] | None:
        """Version and PNG of a shard's preview, or None."""
        try:
            value = self._redis.get(_preview_key(shard_id))
        except RedisError:
            return None
        if value is None:
            return None
        version, png = cast(bytes, value).split(b"\n", 1)
        return int(version), png

    def is_reachable(self) -> bool:
        """Whether Redis answers within a quarter of a second."""
        try:
            return bool(self._hasty.ping())
        except RedisError:
            return False


def _order(data: bytes) -> Order | UnknownOrder:
    try:
        return Order.model_validate_json(data)
    except ValidationError:
        pass
    try:
        return UnknownOrder.model_validate_json(data)
    except ValidationError:
        return UnknownOrder()


def _said_at(entry_id: str) -> float:
    """When an entry was added, in seconds of Redis's clock."""
    return int(entry_id.partition("-")[0]) / 1000


def _message(data: bytes) -> Report | Heartbeat | Hint | Stranger | None:
    """None is what cannot be understood at all."""
    try:
        message = message_adapter.validate_json(data)
        if not isinstance(message, Heartbeat) or message.protocol == PROTOCOL:
            return message
    except ValidationError:
        pass
    try:
        stranger = Stranger.model_validate_json(data)
    except ValidationError:
        return None
    return None if stranger.protocol == PROTOCOL else stranger
