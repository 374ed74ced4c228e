"""`darkroom migrate`."""

import click

from darkroom.options import read_settings
from darkroom.schema import migrate
from jobs.settings import DatabaseSettings


@click.command("migrate")
def command() -> None:
    """Bring the database up to date."""
    migrate(read_settings(DatabaseSettings).database_url)
    click.echo("The database is up to date.")
