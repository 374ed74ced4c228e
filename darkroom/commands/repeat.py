"""`darkroom repeat`."""

from pathlib import Path

import click

from darkroom import progress
from darkroom.client import Client
from darkroom.options import with_client


@click.command("repeat")
@click.argument("picture", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--watch", is_flag=True, help="Follow the new job until it ends.")
@with_client
def command(client: Client, picture: Path, watch: bool) -> None:
    """Submit the job that made PICTURE again, with the same seed, and print its id.

    PICTURE is a PNG that a job made: an image, a collage or a figure. It says itself how.
    """
    job = client.repeat(picture)
    click.echo(job.id)
    if watch:
        progress.watch(client, job.id)
