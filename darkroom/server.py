"""The WSGI server of `darkroom web`: one process, many threads, since an open page holds one."""

import logging
import threading
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication

from darkroom.web import create_app
from jobs.redis_access import RedisRefusedError, check_redis
from jobs.settings import WebSettings

log = logging.getLogger(__name__)

SPARE_CONNECTIONS = 512  # idle keep-alive connections beside the busy ones
LONGEST_REQUEST_LINE = 8190  # gunicorn's most: a form that is filled by a link may need it
SECONDS_TO_END = 5  # for requests that run at SIGTERM


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn is untyped
    """Gunicorn with one worker process of `web_threads` threads."""

    def __init__(self, settings: WebSettings, listen_fd: int | None) -> None:
        """Serve on the settings' address, or on a socket that listens already."""
        self._settings = settings
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        address = f"{host}:{settings.port}" if listen_fd is None else f"fd://{listen_fd}"
        self._options: dict[str, Any] = {
            "bind": address,
            "workers": 1,
            "worker_class": "darkroom.web_worker.WebWorker",
            "threads": settings.web_threads,
            "worker_connections": settings.web_threads + SPARE_CONNECTIONS,
            "limit_request_line": LONGEST_REQUEST_LINE,
            "graceful_timeout": SECONDS_TO_END,
            "control_socket_disable": True,
            "loglevel": settings.log_level.lower(),
        }
        super().__init__()

    def load_config(self) -> None:
        """Give gunicorn our options; it reads no file, variable or argument of its own."""
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """Build the application, in the process that serves it.

        A thread that speaks TLS must not be begun before gunicorn forks that process: a lock of
        OpenSSL that it holds at that moment is held there for ever, and no request is answered.
        """
        app = create_app(self._settings)
        # Jobs are taken all the same, as they are while Redis is away.
        threading.Thread(
            target=_look_at_redis, args=[self._settings.redis_url], daemon=True
        ).start()
        return app


def _look_at_redis(redis_url: str) -> None:
    try:
        check_redis(redis_url)
    except RedisRefusedError as error:
        log.error("%s", error)
