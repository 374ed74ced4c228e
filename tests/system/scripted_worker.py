"""A worker that is no process: the test says its words and reads its orders."""

import base64
import json
from typing import Any

from jobs.broker import queue_key, queue_of
from jobs.messages import (
    Heartbeat,
    Order,
    OrderType,
    Report,
    ReportStatus,
    RunningShard,
    ShardOrder,
)
from jobs.redis_access import connect
from jobs.streams import WorkerStreams
from tests.system.patience import eventually


class ScriptedWorker:
    """A worker whose every word the test decides; Celery's message is read off its own queue."""

    def __init__(self, redis_url: str, name: str) -> None:
        self.name = name
        self.streams = WorkerStreams(redis_url, name, block_seconds=0.1)
        self._redis = connect(redis_url, 10)
        self._last_order = "0-0"
        self._seq: dict[tuple[str, int], int] = {}

    def beat(self, *running: tuple[str, int], slots: int = 1, **more: Any) -> None:
        """Say a heartbeat."""
        self.streams.send(
            [
                Heartbeat(
                    worker=self.name,
                    queue=queue_of(self.name),
                    host="scripted",
                    pid=1,
                    version="test",
                    slots=slots,
                    running=[RunningShard(shard_id=s, attempt=a) for s, a in running],
                    **more,
                )
            ]
        )

    def report(self, shard_id: str, attempt: int, status: ReportStatus, **values: Any) -> Report:
        """Say the state of an attempt, and return what was said."""
        seq = self._seq[(shard_id, attempt)] = self._seq.get((shard_id, attempt), 0) + 1
        is_running = status is ReportStatus.RUNNING
        report = Report(
            worker=self.name,
            job_id=shard_id.rsplit("-", 1)[0],
            shard_id=shard_id,
            attempt=attempt,
            seq=values.pop("seq", seq),
            status=status,
            running=[RunningShard(shard_id=shard_id, attempt=attempt)] if is_running else [],
            **values,
        )
        self.streams.send([report])
        return report

    def orders(self) -> list[Order]:
        """New orders, perhaps none."""
        found = self.streams.read_orders(self._last_order)
        if found:
            self._last_order = found[-1][0]
        return [order for _, order in found if order is not None]

    def take_message(self) -> ShardOrder | None:
        """The oldest message in this worker's own Celery queue, taken as Celery takes it."""
        message = self._redis.rpop(queue_key(queue_of(self.name)))
        if message is None:
            return None
        arguments, _, _ = json.loads(base64.b64decode(json.loads(message)["body"]))
        return ShardOrder.model_validate(arguments[0])

    def wait_order(self, order_type: OrderType, seconds: float = 10.0) -> Order:
        """The next order of this type."""

        def find() -> Order | None:
            return next((o for o in self.orders() if o.type is order_type), None)

        return eventually(find, seconds, f"for an order {order_type}")
