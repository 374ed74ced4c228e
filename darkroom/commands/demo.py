"""`darkroom demo`."""

import sys
from pathlib import Path

import click

from darkroom import demo
from darkroom.options import read_settings
from jobs.settings import WebSettings


@click.command("demo")
@click.option("--exit", "exits", is_flag=True, help="End when the report is there.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("out"),
    show_default=True,
    help="Folder for pictures, figures and the report.",
)
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("data"),
    show_default=True,
    help="Folder for everything else that is kept.",
)
def command(exits: bool, out: Path, data_dir: Path) -> None:
    """Start everything, do the whole assignment through the API and save what it makes.

    In a terminal it then serves until Ctrl-C.
    """
    settings = read_settings(WebSettings)
    is_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    demo.run(settings, data_dir, out, keeps_serving=is_terminal and not exits)
