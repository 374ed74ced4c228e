"""`darkroom up`."""

import sys
from pathlib import Path

import click

from darkroom import stack
from darkroom.options import read_settings
from jobs.settings import WebSettings
from worker.consumer.gpus import gpu_count


@click.command("up")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; 0: any free one.")
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("data"),
    show_default=True,
    help="Folder for everything that is kept.",
)
@click.option(
    "--workers", type=click.IntRange(0, 64), help="How many workers; one per GPU, or 1, if absent."
)
def command(port: int | None, data_dir: Path, workers: int | None) -> None:
    """Run everything on this computer: Redis, web, dispatcher and workers.

    Prints `ready URL` once everything serves; what dies is started again; Ctrl-C ends all.
    """
    gpus = gpu_count()
    count = max(1, gpus) if workers is None else workers
    plan = stack.Plan(data_dir, read_settings(WebSettings, port=port), count, gpus)
    stack.run(plan, sys.stderr, lambda url: click.echo(f"ready {url}"))
