"""Options of the command line, read off the JSON Schema of a request."""

import json
from collections.abc import Iterable
from typing import Any

import click

Schema = dict[str, Any]

AnyType = click.ParamType[Any, Any]
TYPES: dict[str, AnyType] = {"integer": click.INT, "number": click.FLOAT, "string": click.STRING}
REFERENCE = "JobReference"
OF_A_JOB = "job:"


class Reference(AnyType):
    """An id, or `job:ID` for what another job makes."""

    name = "reference"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """What the help shows."""
        return "ID|job:ID"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """`job:ID` is an object of the API."""
        if not isinstance(value, str) or not value.startswith(OF_A_JOB):
            return value
        return {"job": value.removeprefix(OF_A_JOB)}


class Values(AnyType):
    """Values of one type with commas between them."""

    name = "values"

    def __init__(self, item: AnyType) -> None:
        """Each value is of the type `item`."""
        self.item = item

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """What the help shows."""
        return f"{self.item.name.upper()},…"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """`18,40` → [18, 40]."""
        if not isinstance(value, str):
            return value
        return [self.item.convert(each.strip(), param, ctx) for each in value.split(",")]


class Json(AnyType):
    """A structure as JSON."""

    name = "json"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The structure."""
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except ValueError as error:
            self.fail(f"{value!r} is not JSON: {error}", param, ctx)


def option(name: str, schema: Schema, metavar: str | None = None) -> click.Option:
    """The option of a field; it has no default of its own: the server's holds."""
    flag = name.replace("_", "-")
    help_text = schema.get("description", "").replace("`", "")
    if schema.get("default") is not None:
        help_text += f" Default: {json.dumps(schema['default'])}."
    kind = _type_of([each for each in schema.get("anyOf", [schema]) if each.get("type") != "null"])
    if kind is click.BOOL:
        return click.Option([f"--{flag}/--no-{flag}", name], default=None, help=help_text)
    if isinstance(kind, Values):
        several: dict[str, Any] = {"multiple": True, "callback": _joined}
        return click.Option([f"--{flag}", name], type=kind, default=None, help=help_text, **several)
    return click.Option(
        [f"--{flag}", name], type=kind, default=None, help=help_text, metavar=metavar
    )


def without_absent(given: dict[str, Any]) -> dict[str, Any]:
    """The options that were given."""
    return {name: value for name, value in given.items() if value is not None}


def _type_of(members: list[Schema]) -> AnyType:
    if any(each.get("$ref", "").endswith(f"/{REFERENCE}") for each in members):
        return Reference()
    if len(members) != 1:
        return Json()
    (value,) = members
    if "enum" in value:
        return click.Choice(value["enum"])
    if value.get("type") == "boolean":
        return click.BOOL
    if value.get("type") == "array":
        item = TYPES.get(value["items"].get("type", ""))
        return Json() if item is None else Values(item)
    return TYPES.get(value.get("type", ""), Json())


def _joined(
    _ctx: click.Context, _param: click.Parameter, lists: Iterable[list[Any]] | None
) -> list[Any] | None:
    """A repeated option's values one after the other; None if it was not given."""
    return [value for each in lists or () for value in each] or None
