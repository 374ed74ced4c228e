"""`darkroom uploads`."""

import click

from darkroom.client import Client
from darkroom.options import with_client


@click.command("uploads")
@with_client
def command(client: Client) -> None:
    """List uploaded pictures, newest first: id, size in pixels, name."""
    for each in client.list_uploads():
        click.echo(f"{each.id:<16}  {each.width}×{each.height}  {each.name}")
