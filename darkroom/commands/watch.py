"""`darkroom watch`."""

import click

from darkroom import progress
from darkroom.client import Client
from darkroom.options import with_client


@click.command("watch")
@click.argument("job_id", metavar="JOB")
@with_client
def command(client: Client, job_id: str) -> None:
    """Follow JOB until it ends; exit with 1 if it did not succeed."""
    progress.watch(client, job_id)
