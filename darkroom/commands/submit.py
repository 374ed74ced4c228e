"""`darkroom submit`."""

import json
from typing import Any

import click

from darkroom import progress
from darkroom.client import Client
from darkroom.options import with_client
from darkroom.watching import follow


@click.command("submit")
@click.argument("kind")
@click.option(
    "--param", "params", multiple=True, metavar="KEY=VALUE", help="A parameter; may be repeated."
)
@click.option("--name", help="A name for people.")
@click.option("--watch", is_flag=True, help="Follow the job until it ends.")
@with_client
def command(
    client: Client, kind: str, params: tuple[str, ...], name: str | None, watch: bool
) -> None:
    """Submit a job of KIND, such as `sample`, and print its id.

    Example: darkroom submit sample --param count=25 --param sampler=ddim --watch
    """
    request: dict[str, Any] = {"kind": kind, "params": dict(map(parse_param, params))}
    if name:
        request["name"] = name
    job = client.submit(request)
    click.echo(job.id)
    if watch:
        progress.finish(progress.show(follow(client, job.id)))


def parse_param(text: str) -> tuple[str, Any]:
    """`count=25` → ("count", 25): the value is JSON, or else a string.

    Raises:
        click.BadParameter: there is no `=`.
    """
    key, separator, value = text.partition("=")
    if not key or not separator:
        raise click.BadParameter(f"{text!r} is not KEY=VALUE", param_hint="--param")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value
