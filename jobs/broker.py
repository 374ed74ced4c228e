"""The one Celery app. Its messages are only the road: the database is the truth.

Each worker reads a queue of its own, and the dispatcher sends at most one message per free slot, so
that nothing waits in Redis behind running work. Messages are acknowledged early and never retried
blindly: what no report answers is sent again by the dispatcher.
"""

from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from jobs.messages import ShardOrder
from jobs.redis_access import celery_tls

TASK = "darkroom.run_shard"
KEY_PREFIX = "darkroom:"
SEND_ERRORS = (OperationalError, RedisError, OSError)


def make_app(redis_url: str, *, timeout_seconds: float = 15) -> Celery:
    """The Celery app over `redis_url`; a send gives up after about `timeout_seconds`."""
    app = Celery("darkroom", broker=redis_url)
    app.conf.update(
        accept_content=["json"],
        task_serializer="json",
        task_ignore_result=True,
        task_store_errors_even_if_ignored=False,
        task_acks_late=False,  # nothing running is ever delivered twice
        task_send_sent_event=False,
        task_repr_maxlevels=1,  # nobody reads its picture of a whole message, which is dear
        worker_send_task_events=False,
        worker_pool="threads",
        worker_concurrency=1,
        worker_prefetch_multiplier=1,
        worker_enable_remote_control=True,
        worker_hijack_root_logger=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_proc_alive_timeout=60.0,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_channel_error_retry=True,  # Redis refuses, its disk being full: that may end
        broker_pool_acquire_timeout=5,
        broker_use_ssl=celery_tls(redis_url),
        broker_transport_options={
            "global_keyprefix": KEY_PREFIX,
            "ack_emulation": False,  # what no report answers the dispatcher sends again
            "health_check_interval": 10,
            "socket_keepalive": True,
            "socket_connect_timeout": min(5, timeout_seconds),
            "socket_timeout": timeout_seconds,
            "retry_on_timeout": False,  # a blind repeat would be a second message
        },
    )
    return app


def queue_of(worker: str) -> str:
    """The Celery queue that only this worker reads."""
    return f"worker.{worker}"


def queue_key(queue: str) -> str:
    """The Redis list behind a Celery queue."""
    return f"{KEY_PREFIX}{queue}"


def send_shard(app: Celery, queue: str, order: ShardOrder) -> None:
    """Send one shard to one worker's queue, once.

    Raises:
        OperationalError, RedisError, OSError: see `SEND_ERRORS`; the message may or may not have
            left, and the dispatcher's own repeat covers both.
    """
    app.send_task(
        TASK,
        args=[order.model_dump(mode="json")],
        queue=queue,
        ignore_result=True,
        retry=False,
    )
