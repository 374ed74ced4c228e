"""`darkroom import`: checkpoints, datasets and pictures."""

from pathlib import Path

import click

from darkroom.client import Client
from darkroom.options import with_client

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group("import")
def command() -> None:
    """Bring your own files in."""


@command.command("checkpoint")
@click.argument("file", type=FILE)
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


@command.command("dataset")
@click.argument("faces", type=FILE)
@click.argument("ages", type=FILE, required=False)
@click.option("--name", help="A name for people; that of the file of faces by default.")
@with_client
def dataset(client: Client, faces: Path, ages: Path | None, name: str | None) -> None:
    """Upload FACES, and AGES where they are known, and print the dataset's id.

    Both are NumPy's .npy, plain or gzipped: gray faces uint8 (N, 48, 48), one age per face (N,).
    """
    view = client.import_dataset(faces, ages, name)
    click.echo(view.id)
    click.echo(f"{view.name}: {view.count} faces, {view.aged_count} with an age", err=True)


@command.command("picture")
@click.argument("file", type=FILE)
@click.option("--name", help="A name for people; the file's name by default.")
@with_client
def picture(client: Client, file: Path, name: str | None) -> None:
    """Upload FILE, a face or a mask, and print the upload's id.

    It is a gray PNG of 48×48 pixels, 8 bits each; nothing but the pixels is kept.
    """
    view = client.import_upload(file, name)
    click.echo(view.id)
    click.echo(f"{view.name}: {view.width}×{view.height}", err=True)
