"""`darkroom resume`."""

import click

from darkroom.client import Client
from darkroom.options import with_client


@click.command("resume")
@click.argument("kind", default="all")
@with_client
def command(client: Client, kind: str) -> None:
    """End the pause of KIND, or that of all kinds."""
    client.resume(kind)
    click.echo(f"goes on: {kind}", err=True)
