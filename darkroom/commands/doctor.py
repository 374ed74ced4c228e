"""`darkroom doctor`."""

import json
import os
import sys
from pathlib import Path

import click

from darkroom.doctor import Level, examine
from darkroom.embedded_redis import url_of
from darkroom.options import read_settings
from jobs.settings import DatabaseSettings

COLOURS = {Level.OK: "green", Level.WARNING: "yellow", Level.PROBLEM: "red"}


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print all findings as one JSON list.")
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Examine what `darkroom up` keeps in this folder, its Redis included.",
)
def command(as_json: bool, data_dir: Path | None) -> None:
    """Check versions, database, Redis, artifact store, dispatcher and workers.

    Says for each what is wrong and what to do; exits with 1 if there is a problem. It works while
    parts are down.
    """
    findings = []
    for finding in examine(read_settings(DatabaseSettings, **_places(data_dir))):
        findings.append(finding)
        if not as_json:
            level = click.style(f"{finding.level:8}", fg=COLOURS[finding.level])
            advice = f"; {finding.advice}" if finding.advice else ""
            click.echo(f"{level} {finding.part:10} {finding.message}{advice}")
    if as_json:
        click.echo(json.dumps([each.model_dump(mode="json") for each in findings], indent=1))
    if any(each.level is Level.PROBLEM for each in findings):
        sys.exit(1)


def _places(data_dir: Path | None) -> dict[str, str | None]:
    """Where `darkroom up` keeps things; its Redis is found also where no folder is named."""
    if data_dir is not None:
        return {
            "database_url": f"sqlite:///{data_dir / 'darkroom.sqlite'}",
            "artifacts_url": str(data_dir / "artifacts"),
            "redis_url": url_of(data_dir / "redis"),
        }
    if "DARKROOM_REDIS_URL" in os.environ:
        return {}
    return {"redis_url": url_of(Path("data/redis"))}
