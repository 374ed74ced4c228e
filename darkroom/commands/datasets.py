"""`darkroom datasets`."""

import click

from darkroom.client import Client
from darkroom.options import with_client


@click.command("datasets")
@with_client
def command(client: Client) -> None:
    """List datasets, the synthetic one first: id, faces, faces with an age, name."""
    for each in client.list_datasets():
        count, aged = (
            "any" if number is None else str(number) for number in (each.count, each.aged_count)
        )
        click.echo(f"{each.id:<16}  {count:>7}  {aged:>7}  {each.name}")
