"""`darkroom pause`."""

import click

from darkroom.client import Client
from darkroom.options import with_client


@click.command("pause")
@click.argument("kind", default="all")
@click.option("--reason", required=True, help="For those who wait.")
@with_client
def command(client: Client, kind: str, reason: str) -> None:
    """Send nothing new of KIND, or of all kinds; what runs goes on."""
    pause = client.pause(kind, reason)
    click.echo(f"paused: {pause.scope}", err=True)
