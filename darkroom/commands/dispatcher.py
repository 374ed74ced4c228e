"""`darkroom dispatcher`."""

import click

from darkroom.options import read_settings, require_redis
from dispatcher.main import run
from jobs.settings import DispatcherSettings


@click.command("dispatcher")
def command() -> None:
    """Send work to workers and record what they report."""
    settings = read_settings(DispatcherSettings)
    require_redis(settings)
    run(settings)
