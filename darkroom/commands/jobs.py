"""`darkroom jobs`."""

import click

from darkroom import progress
from darkroom.client import Client
from darkroom.options import with_client
from jobs.contract import JobStatus


@click.command("jobs")
@click.option("--limit", type=click.IntRange(1, 200), default=20, show_default=True)
@click.option("--status", type=click.Choice([status.value for status in JobStatus]))
@with_client
def command(client: Client, limit: int, status: str | None) -> None:
    """List the newest jobs: id, status, progress, kind, submitter, time (UTC), name."""
    for job in client.list_jobs(limit, status).items:
        click.echo(
            f"{job.id}  {job.status.value:<9}  {progress.percent(job):>3} %  {job.kind:<10}  "
            f"{job.submitter:<12}  {job.created_at:%Y-%m-%d %H:%M}  {job.name or ''}".rstrip()
        )
