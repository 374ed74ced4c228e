"""`darkroom submit assignment` and `darkroom submit batch`: several jobs in one submission."""

import json
from pathlib import Path
from typing import Any, TextIO

import click

from darkroom import progress
from darkroom.client import Client
from darkroom.options import with_client
from darkroom.request_options import option, without_absent
from jobs.contract import JobView
from jobs.requests import AssignmentRequest

CHECKPOINTS = ("checkpoint", "regressor", "initial")
METAVARS = dict.fromkeys(CHECKPOINTS, "ID|FILE") | {"dataset": "ID|FACES"}
watch_option = click.option(
    "--watch", is_flag=True, help="Follow all jobs in turn; exit with 1 if one does not succeed."
)


@click.command("assignment")
@click.argument("ages", required=False, type=click.Path(path_type=Path))
@watch_option
@with_client
def assignment(client: Client, ages: Path | None, watch: bool, **given: Any) -> None:
    """Submit the whole assignment: sample, merge, train a regressor, guide, evaluate, report.

    The checkpoints and the dataset may be files, which are imported first; the file of AGES follows
    that of faces:

    darkroom submit assignment --checkpoint a.cpt --dataset faces.npy ages.npy
    """
    given["dataset"] = _dataset(client, given["dataset"], ages)
    for name in CHECKPOINTS:
        given[name] = _checkpoint(client, name, given[name])
    _tell(client, client.submit_assignment(without_absent(given)), watch)


assignment.params = [
    *(
        option(name, schema, METAVARS.get(name))
        for name, schema in AssignmentRequest.model_json_schema()["properties"].items()
    ),
    *assignment.params,
]


@click.command("batch")
@click.argument("file", type=click.File())
@watch_option
@with_client
def batch(client: Client, file: TextIO, watch: bool) -> None:
    """Submit the jobs of FILE, all of them or none; `-` reads standard input.

    It holds {"jobs": [{"label": "faces", "job": {"kind": "sample", "params": {}}}, …]}; a label
    stands wherever a later job names that one.
    """
    try:
        request = json.load(file)
    except ValueError as error:
        raise click.BadParameter(f"{file.name} is not JSON: {error}", param_hint="FILE") from error
    _tell(client, client.submit_batch(request), watch)


def _tell(client: Client, jobs: list[JobView], watch: bool) -> None:
    """Print a line for each job, its id first."""
    for job in jobs:
        click.echo(f"{job.id}  {job.kind}")
    if watch:
        progress.watch_all(client, jobs)


def _checkpoint(client: Client, name: str, given: str | None) -> str | None:
    """The id of a checkpoint, given so or as a file, which is imported."""
    if given is None or not _is_file(name, given):
        return given
    view = client.import_checkpoint(Path(given), None)
    click.echo(f"{given}: imported as checkpoint {view.id}", err=True)
    return view.id


def _dataset(client: Client, given: str | None, ages: Path | None) -> str | None:
    """The id of a dataset, given so or as files, which are imported."""
    if given is None or not _is_file("dataset", given):
        if ages is not None:
            raise click.UsageError(
                f"AGES ({ages}) belong to faces of the same order: --dataset FACES AGES"
            )
        return given
    if ages is not None and not ages.is_file():
        raise click.BadParameter(f"there is no file {str(ages)!r}", param_hint="AGES")
    view = client.import_dataset(Path(given), ages, None)
    click.echo(f"{given}: imported as dataset {view.id}", err=True)
    return view.id


def _is_file(name: str, given: str) -> bool:
    """Whether this is a file; what only looks like one is refused, since no id has such letters."""
    if Path(given).is_file():
        return True
    if "." in given or "/" in given:
        raise click.BadParameter(f"there is no file {given!r}", param_hint=f"--{name}")
    return False
