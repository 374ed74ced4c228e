"""`darkroom submit`: a command for each kind of job, its options read off the contract."""

import json
from typing import Any, get_args

import click
from pydantic import BaseModel

from darkroom import progress
from darkroom.client import Client
from darkroom.commands.submit_several import assignment, batch
from darkroom.options import with_client
from darkroom.request_options import option, without_absent
from jobs.requests import JobRequest

REQUESTS: dict[str, type[BaseModel]] = {
    get_args(request.model_fields["kind"].annotation)[0]: request
    for request in get_args(JobRequest)
}
SEVERAL = {"assignment": assignment, "batch": batch}


class Kinds(click.Group):
    """A command for each kind, and for several jobs at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The kinds, then the others."""
        return [*REQUESTS, *SEVERAL]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command that submits jobs of this kind."""
        request = REQUESTS.get(cmd_name)
        return SEVERAL.get(cmd_name) if request is None else _command(cmd_name, request)


@click.group("submit", cls=Kinds)
def command() -> None:
    """Submit a job and print its id.

    Example: darkroom submit sample --count 25 --sampler ddim --watch
    """


def _command(kind: str, request: type[BaseModel]) -> click.Command:
    params_model: type[BaseModel] = request.model_fields["params"].annotation  # type: ignore[assignment]  # of a request
    schemas = params_model.model_json_schema()["properties"]

    @click.option(
        "--param",
        "raw_params",
        multiple=True,
        metavar="KEY=VALUE",
        help="A parameter by its name in the API; the value is JSON, or else a text.",
    )
    @click.option("--name", help="A name for people.")
    @click.option("--priority", type=click.INT, help="Higher goes first.")
    @click.option(
        "--after", multiple=True, metavar="JOB", help="A job that must succeed first; repeatable."
    )
    @click.option("--watch", is_flag=True, help="Follow the job until it ends.")
    @with_client
    def submit(client: Client, raw_params: tuple[str, ...], watch: bool, **given: Any) -> None:
        about = {name: given.pop(name) for name in ("name", "priority")}
        about["after"] = list(given.pop("after")) or None
        params = dict(map(parse_param, raw_params)) | without_absent(given)
        job = client.submit({"kind": kind, "params": params} | without_absent(about))
        click.echo(job.id)
        if watch:
            progress.watch(client, job.id)

    about_kind = (params_model.__doc__ or "").partition(": ")[2]
    built = click.command(kind, help=f"Submit a job: {about_kind}")(submit)
    built.params = [option(name, schema) for name, schema in schemas.items()] + built.params
    return built


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
