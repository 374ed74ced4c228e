"""`darkroom web`."""

import logging
import threading

import click

from darkroom.guard import UnsafeSettingsError, check_settings
from darkroom.options import read_settings
from darkroom.server import Server
from jobs.redis_access import RedisRefusedError, check_redis
from jobs.settings import WebSettings

log = logging.getLogger(__name__)


@click.command("web")
@click.option("--host", help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on.")
@click.option("--listen-fd", type=int, hidden=True, help="A socket that listens already.")
def command(host: str | None, port: int | None, listen_fd: int | None) -> None:
    """Serve the API and the dashboard."""
    settings = read_settings(WebSettings, host=host, port=port)
    try:
        check_settings(settings)
    except UnsafeSettingsError as error:
        raise click.ClickException(str(error)) from error
    # Jobs are taken all the same, as they are while Redis is away.
    threading.Thread(target=_look_at_redis, args=(settings.redis_url,), daemon=True).start()
    Server(settings, listen_fd).run()


def _look_at_redis(redis_url: str) -> None:
    try:
        check_redis(redis_url)
    except RedisRefusedError as error:
        log.error("%s", error)
