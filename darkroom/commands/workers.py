"""`darkroom workers`."""

import click

from darkroom.client import Client
from darkroom.options import with_client


@click.command("workers")
@with_client
def command(client: Client) -> None:
    """List the workers that are online: id, host, device, precision, what each runs."""
    for each in client.list_workers():
        known = [str(each.capabilities.get(name, "-")) for name in ("device", "precision")]
        idle = "drained" if each.drained_at else "idle" if each.slots else "takes no work now"
        running = " ".join(each.running) or each.incompatible or idle
        click.echo("  ".join([each.id, each.host, *known, running]))
