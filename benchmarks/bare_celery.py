"""Celery and nothing else: a worker whose one task says when it started."""

import sys
import time

import redis
from celery import Celery

from jobs.broker import make_app

STARTED = "started"


def make_bare_app(redis_url: str) -> Celery:
    """An app with Darkroom's settings and one task."""
    app = make_app(redis_url)
    client = redis.Redis.from_url(redis_url)

    @app.task(name="bare.start")
    def start() -> None:
        client.rpush(STARTED, time.time())

    return app


if __name__ == "__main__":
    make_bare_app(sys.argv[1]).Worker(
        queues=["bare"],
        pool="threads",
        concurrency=1,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        quiet=True,
    ).start()
