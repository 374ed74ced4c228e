"""`darkroom worker`."""

import click

from darkroom.options import read_settings
from jobs.settings import WorkerSettings
from worker.consumer.main import run


@click.command("worker")
@click.option("--broker", help="URL of the Redis that the dispatcher uses.")
@click.option("--artifacts", help="Folder or URL of the artifact store.")
@click.option("--device", help="auto, cpu, cuda or cuda:N.")
def command(broker: str | None, artifacts: str | None, device: str | None) -> None:
    """Run shards on this computer's GPU, or on its CPU."""
    settings = read_settings(
        WorkerSettings, redis_url=broker, artifacts_url=artifacts, device=device
    )
    run(settings)
