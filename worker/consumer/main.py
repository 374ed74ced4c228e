"""`darkroom worker`: one Celery consumer with one engine."""

import contextlib
import logging
import secrets
import socket
from collections.abc import Sequence
from typing import Any

from celery import Celery, signals

from jobs.broker import TASK, make_app, queue_of
from jobs.logs import configure_logging
from jobs.messages import ShardOrder
from jobs.settings import WorkerSettings
from jobs.streams import StreamError, WorkerStreams
from worker.consumer.desk import ReportDesk
from worker.consumer.engine_process import ENGINE
from worker.consumer.link import Link
from worker.consumer.supervisor import Supervisor

log = logging.getLogger(__name__)

LAST_WORDS_SECONDS = 5.0  # how long a leaving worker waits for the acknowledgement of its reports


def run(settings: WorkerSettings, engine: Sequence[str] = ENGINE) -> None:
    """Take shards until SIGTERM or SIGINT; then save, hand back and leave.

    Args:
        settings: of this worker.
        engine: the command that starts an engine; benchmarks give another one.
    """
    configure_logging(settings.log_level)
    worker = f"{settings.name or socket.gethostname()}-{secrets.token_hex(4)}"  # new at every start
    streams = WorkerStreams(settings.redis_url, worker)
    desk = ReportDesk(worker, settings.report_seconds)

    def keep_preview(shard_id: str, version: int, png: bytes) -> None:
        with contextlib.suppress(StreamError):  # the next one comes in two seconds
            streams.put_preview(shard_id, version, png)

    supervisor = Supervisor(settings, worker, desk, keep_preview, engine)
    link = Link(settings, worker, streams, desk, supervisor)
    app = make_app(settings.redis_url)
    register_task(app, supervisor)

    def leave(**_: Any) -> None:
        link.leave()
        supervisor.hand_back()

    signals.worker_shutting_down.connect(leave, weak=False)
    supervisor.start()
    link.start()
    log.info("worker %s", worker)
    try:
        _consume(app, worker, settings.log_level)
    finally:
        leave()
        link.close(LAST_WORDS_SECONDS)
        supervisor.close()
        log.info("worker %s has left", worker)


def register_task(app: Celery, supervisor: Supervisor) -> None:
    """Make `TASK` run a shard on the engine."""

    @app.task(name=TASK)
    def run_shard(order: dict[str, Any]) -> None:
        supervisor.run(ShardOrder.model_validate(order))


def _consume(app: Celery, worker: str, log_level: str) -> None:
    celery_worker = app.Worker(
        hostname=f"darkroom@{worker}",
        queues=[queue_of(worker)],
        pool="threads",
        concurrency=1,
        loglevel=log_level,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        redirect_stdouts=False,
        quiet=True,
    )
    celery_worker.start()
