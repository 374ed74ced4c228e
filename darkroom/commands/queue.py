"""`darkroom queue`."""

import click

from darkroom.client import Client
from darkroom.options import with_client


@click.command("queue")
@with_client
def command(client: Client) -> None:
    """Show pauses, device time used of late, measured speeds, and how estimates came true."""
    queue = client.queue()
    for pause in queue.pauses:
        click.echo(f"paused  {pause.scope}  by {pause.paused_by}  {pause.reason}")
    for used in queue.usage:
        click.echo(f"used    {used.submitter}  {used.device_seconds:.0f} device-seconds of late")
    for speed in queue.speeds:
        low, middle, high = speed.per_second
        click.echo(
            f"speed   {speed.kind}  {speed.device}  {low:.4g} to {high:.4g}, median {middle:.4g} "
            f"{speed.unit} a second  ({speed.shards} shards)"
        )
    known = queue.estimates
    if known.jobs:
        click.echo(f"right   {known.ends_within} of {known.jobs} jobs ended as first estimated")
