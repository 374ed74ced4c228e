"""`darkroom cancel`."""

import click

from darkroom.client import Client
from darkroom.options import with_client


@click.command("cancel")
@click.argument("job_id", metavar="JOB")
@with_client
def command(client: Client, job_id: str) -> None:
    """Cancel JOB, unless it has ended, and all jobs that wait for it."""
    canceled = client.cancel(job_id)
    click.echo(f"job {job_id} {canceled.status.value}", err=True)
    for waiting in canceled.also_canceled:
        click.echo(f"job {waiting} {canceled.status.value}: it waited for that one", err=True)
