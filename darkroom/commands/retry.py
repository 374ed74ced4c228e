"""`darkroom retry`."""

import click

from darkroom import progress
from darkroom.client import Client
from darkroom.options import with_client


@click.command("retry")
@click.argument("job_id", metavar="JOB")
@click.option("--watch", is_flag=True, help="Follow the new job until it ends.")
@with_client
def command(client: Client, job_id: str, watch: bool) -> None:
    """Make JOB, which has ended, anew with the same parameters and seed, and print the new id."""
    job = client.retry(job_id)
    click.echo(job.id)
    if watch:
        progress.watch(client, job.id)
