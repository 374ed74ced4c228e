"""`darkroom delete`."""

import click

from darkroom.client import Client
from darkroom.options import with_client

KINDS = ("job", "checkpoint", "dataset", "upload")


@click.command("delete")
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@click.option(
    "--kind", type=click.Choice(KINDS), default="job", show_default=True, help="What they are."
)
@with_client
def command(client: Client, ids: tuple[str, ...], kind: str) -> None:
    """Delete jobs that have ended, with all that they made, or what was imported.

    What another job needs is not deleted; the answer says which.
    """
    for each in ids:
        deleted = client.delete(kind, each)
        click.echo(f"{kind} {each} deleted", err=True)
        for checkpoint in deleted.checkpoints:
            click.echo(f"checkpoint {checkpoint} deleted: that job had trained it", err=True)
        if deleted.files_left:
            click.echo("its files are deleted by the dispatcher, later", err=True)
