"""What a submit form is made of; ranges and defaults are read off the contract."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from dashboard.typed import as_typed
from jobs.requests import SampleJob

Control = Literal[
    "number",
    "text",
    "seed",
    "select",
    "radio",
    "checkbox",
    "list",  # values with commas between them
    "pairs",  # of faces, with commas between them
    "several",  # a checkbox for each choice
]
Source = Literal["", "noise_predictors", "regressors", "datasets", "uploads", "faces", "any_jobs"]
Choices = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Field:
    """A field of a form.

    Attributes:
        allowed: ends the sentence "… must be".
        is_optional: may stay empty, which is null.
        source: where the choices come from, where they are not fixed.
        is_reference: may name a job that will make it, as `job:ID`.
        empty: how a select calls its empty choice, where it has one.
        only_for: a class of the stylesheet: which choice in another field makes this one count.
    """

    name: str
    label: str
    hint: str
    allowed: str
    control: Control = "number"
    default: str = ""
    minimum: float | None = None
    maximum: float | None = None
    step: str = "1"
    is_optional: bool = False
    choices: Choices = ()
    source: Source = ""
    is_reference: bool = False
    empty: str = ""
    only_for: str = ""


@dataclass(frozen=True)
class Section:
    """A part of a form: rows of fields, by name; `is_folded` until the visitor opens it."""

    title: str
    rows: tuple[tuple[str, ...], ...]
    is_folded: bool = False


@dataclass(frozen=True)
class Preset:
    """A link that fills the form."""

    label: str
    recipe: str
    settings: Mapping[str, str]


@dataclass(frozen=True)
class KindForm:
    """The form of a kind of job; what each field says is in `fields`."""

    kind: str
    label: str
    lead: str
    fields: tuple[Field, ...]
    sections: tuple[Section, ...]
    presets: tuple[Preset, ...]

    @property
    def by_name(self) -> dict[str, Field]:
        """All fields, those of every job included."""
        return {each.name: each for each in (*self.fields, *ABOUT_JOB)}


def field_of(
    model: type[BaseModel],
    name: str,
    label: str,
    hint: str,
    control: Control = "number",
    **more: Any,
) -> Field:
    """A field for a parameter of the contract, with its range and its default."""
    schema = model.model_json_schema()["properties"][name]
    members = schema.get("anyOf", [schema])
    value = next(each for each in members if each.get("type", "null") != "null")
    is_optional = {"type": "null"} in members
    allowed = more.pop("allowed", None) or _allowed(value, control)
    facts: dict[str, Any] = {
        "allowed": f"empty, or {allowed}" if is_optional and control != "select" else allowed,
        "default": _default(model, name),
        "minimum": value.get("minimum", value.get("exclusiveMinimum")),
        "maximum": value.get("maximum", value.get("exclusiveMaximum", value.get("maxLength"))),
        "step": "1" if value.get("type") == "integer" else "any",
        "is_optional": is_optional,
        "is_reference": any("$ref" in each for each in members),
    }
    return Field(name, label, hint, control=control, **(facts | more))


def _allowed(value: Mapping[str, Any], control: Control) -> str:
    if control in ("select", "several"):
        return "one of the list" if control == "select" else "at least one of the list"
    if "enum" in value:
        *names, last = value["enum"]
        return f"{', '.join(names)} or {last}"
    if value["type"] == "boolean":
        return "true or false"
    if value["type"] == "string":
        return f"at most {value['maxLength']} characters"
    if value["type"] == "array":
        kind = "whole numbers" if value["items"]["type"] == "integer" else "numbers"
        return f"{value['minItems']} to {value['maxItems']} {kind}, each {_range(value['items'])}"
    kind = "a whole number" if value["type"] == "integer" else "a number"
    return f"{kind} {_range(value)}"


def _range(value: Mapping[str, Any]) -> str:
    least, most = value.get("minimum"), value.get("maximum")
    if value["type"] == "integer" and "exclusiveMaximum" in value:
        most = value["exclusiveMaximum"] - 1
    if least is not None and most is not None:
        return f"within {least:,} and {most:,}"
    above = f"above {value['exclusiveMinimum']:,}" if least is None else f"from {least:,}"
    below = f"below {value['exclusiveMaximum']:,}" if most is None else f"at most {most:,}"
    return f"{above} and {below}"


def _default(model: type[BaseModel], name: str) -> str:
    default = model.model_fields[name].get_default(call_default_factory=True)
    return "" if default is None or default is PydanticUndefined else as_typed(default)


ABOUT_JOB = (
    field_of(
        SampleJob, "name", "Name", "For the list; at most 200 characters. May stay empty.", "text"
    ),
    field_of(SampleJob, "priority", "Priority", "Higher goes first: −100 to 100."),
)
