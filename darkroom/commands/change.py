"""`darkroom change`."""

import click

from darkroom.client import Client
from darkroom.options import with_client


@click.command("change")
@click.argument("job_id", metavar="JOB")
@click.option("--priority", type=click.IntRange(-100, 100), help="Higher goes first.")
@click.option("--name", help="A name for people; empty: none.")
@with_client
def command(client: Client, job_id: str, priority: int | None, name: str | None) -> None:
    """Give JOB another priority or name; a priority counts for what is not sent yet."""
    change: dict[str, object] = {} if priority is None else {"priority": priority}
    if name is not None:
        change["name"] = name or None
    if not change:
        raise click.UsageError("give --priority, --name, or both")
    job = client.change_job(job_id, change)
    click.echo(f"job {job.id} has priority {job.priority}", err=True)
    if job.waiting_reason:
        click.echo(job.waiting_reason, err=True)
