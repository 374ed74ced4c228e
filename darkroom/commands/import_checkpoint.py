"""`darkroom import checkpoint`."""

from pathlib import Path

import click

from darkroom.client import Client
from darkroom.options import with_client


@click.group("import")
def command() -> None:
    """Bring your own files in."""


@command.command("checkpoint")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--name", help="A name for people; the file's name by default.")
@with_client
def checkpoint(client: Client, file: Path, name: str | None) -> None:
    """Upload FILE (.cpt or .safetensors) and print the checkpoint's id.

    The server reads the file without running anything in it, checks every tensor and keeps it as
    safetensors.
    """
    view = client.import_checkpoint(file, name)
    click.echo(view.id)
    click.echo(f"{view.name}: {view.architecture}, width {view.width}", err=True)
