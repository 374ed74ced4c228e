"""`darkroom submit`: a command for each kind of job, its options read off the contract."""

import json
from typing import Any, get_args

import click
from pydantic import BaseModel

from darkroom import progress
from darkroom.client import Client
from darkroom.options import with_client
from jobs.requests import JobRequest

Schema = dict[str, Any]

TYPES = {"integer": click.INT, "number": click.FLOAT, "string": click.STRING}
REQUESTS: dict[str, type[BaseModel]] = {
    get_args(request.model_fields["kind"].annotation)[0]: request
    for request in get_args(JobRequest)
}


class Kinds(click.Group):
    """A command for each kind."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The kinds."""
        return list(REQUESTS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command that submits jobs of this kind."""
        request = REQUESTS.get(cmd_name)
        return None if request is None else _command(cmd_name, request)


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
        "pairs",
        multiple=True,
        metavar="KEY=VALUE",
        help="A parameter by its name in the API; the value is JSON, or else a text.",
    )
    @click.option("--name", help="A name for people.")
    @click.option("--priority", type=click.INT, help="Higher goes first.")
    @click.option("--watch", is_flag=True, help="Follow the job until it ends.")
    @with_client
    def submit(client: Client, pairs: tuple[str, ...], watch: bool, **given: Any) -> None:
        about = {name: given.pop(name) for name in ("name", "priority")}
        params = dict(map(parse_param, pairs)) | _without_none(given)
        job = client.submit({"kind": kind, "params": params} | _without_none(about))
        click.echo(job.id)
        if watch:
            progress.watch(client, job.id)

    about_kind = (params_model.__doc__ or "").partition(": ")[2]
    built = click.command(kind, help=f"Submit a job: {about_kind}")(submit)
    built.params = [_option(name, schema) for name, schema in schemas.items()] + built.params
    return built


def _option(name: str, schema: Schema) -> click.Option:
    """The option of a parameter; it has no default of its own: the server's holds."""
    (value,) = (each for each in schema.get("anyOf", [schema]) if each.get("type") != "null")
    flag = name.replace("_", "-")
    help_text = schema.get("description", "").replace("`", "")
    if schema.get("default") is not None:
        help_text += f" Default: {json.dumps(schema['default'])}."
    if value["type"] == "boolean":
        return click.Option([f"--{flag}/--no-{flag}", name], default=None, help=help_text)
    kind = click.Choice(value["enum"]) if "enum" in value else TYPES[value["type"]]
    return click.Option([f"--{flag}", name], type=kind, default=None, help=help_text)


def _without_none(given: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}


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
