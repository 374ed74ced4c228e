"""`darkroom drain`."""

import click

from darkroom.client import Client
from darkroom.options import with_client


@click.command("drain")
@click.argument("worker", metavar="WORKER")
@click.option("--undo", is_flag=True, help="Send it shards again.")
@with_client
def command(client: Client, worker: str, undo: bool) -> None:
    """Send WORKER no more shards; it finishes what it holds, and stays idle."""
    drained = client.set_drain(worker, is_drained=not undo)
    holds = f"; it still runs {' '.join(drained.running)}" if drained.running else ""
    what = "takes shards again" if undo else f"is drained{holds}"
    click.echo(f"worker {worker} {what}", err=True)
