"""`darkroom web`."""

import click

from darkroom.guard import UnsafeSettingsError, check_settings
from darkroom.options import read_settings
from darkroom.server import Server
from jobs.settings import WebSettings


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
    Server(settings, listen_fd).run()
