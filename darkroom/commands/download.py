"""`darkroom download`."""

from pathlib import Path

import click

from darkroom.client import Client
from darkroom.options import with_client
from darkroom.results import save_results


@click.command("download")
@click.argument("job_id", metavar="JOB")
@click.option(
    "--to",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("out"),
    show_default=True,
    help="Folder for the files.",
)
@with_client
def command(client: Client, job_id: str, folder: Path) -> None:
    """Save what JOB made, and job.json.

    Of a sample job: collage.png, images.npy and images/000.png, …; of a training: the checkpoint,
    metrics.json and figures; of an evaluation: metrics.json and figures; of a report: report.html,
    report.pdf and assignment.zip.
    """
    click.echo(f"{save_results(client, job_id, folder)} files in {folder}/", err=True)
