"""`darkroom worker`."""

import sys

import click

from darkroom import fleet
from darkroom.options import read_settings, require_redis, require_store
from jobs.settings import WorkerSettings
from worker.consumer.gpus import gpu_count
from worker.consumer.main import run


def _listed(_context: click.Context, _option: click.Parameter, value: str | None) -> object:
    """`sample,merge` as a list; None was not given."""
    return None if value is None else [kind.strip() for kind in value.split(",") if kind.strip()]


@click.command("worker")
@click.option("--broker", help="URL of the Redis that the dispatcher uses.")
@click.option("--artifacts", help="Folder or URL of the artifact store.")
@click.option("--device", help="auto, cpu, cuda or cuda:N.")
@click.option(
    "--kinds", callback=_listed, help="Kinds of job to take: sample,merge. All if absent."
)
@click.option("--name", help="Begins the worker's id; the host's name if absent.")
def command(
    broker: str | None,
    artifacts: str | None,
    device: str | None,
    kinds: list[str] | None,
    name: str | None,
) -> None:
    """Run shards on this computer's GPUs, one worker each, or on its CPU.

    A password in --broker can be read by all users of this computer: DARKROOM_REDIS_URL says the
    same. An artifact store over HTTP takes its key from DARKROOM_ARTIFACTS_KEY.
    """
    settings = read_settings(
        WorkerSettings,
        redis_url=broker,
        artifacts_url=artifacts,
        device=device,
        kinds=kinds,
        name=name,
    )
    require_redis(settings)
    require_store(settings)
    gpus = gpu_count() if settings.device == "auto" else 0
    if gpus > 1:
        fleet.run(settings, gpus, sys.stderr)
    else:
        run(settings)
