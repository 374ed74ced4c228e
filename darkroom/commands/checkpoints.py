"""`darkroom checkpoints`."""

import click

from darkroom.client import Client
from darkroom.options import with_client


@click.command("checkpoints")
@with_client
def command(client: Client) -> None:
    """List checkpoints, the newest first: id, architecture, width, loss, job, name."""
    for each in client.list_checkpoints():
        loss = each.description.get("metrics", {}).get("held_out_loss")
        told = f"{loss:.4f}" if isinstance(loss, float) else "-"
        click.echo(
            f"{each.id:<16}  {each.architecture:<9}  {each.width:>3}  {told:>7}  "
            f"{each.job_id or '-':<16}  {each.name}"
        )
