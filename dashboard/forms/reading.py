"""What was typed into a form, as a job request, or as sentences beside its fields."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from dashboard.forms.fields import ABOUT_JOB, Choices, Field, KindForm, Source
from jobs.errors import JobError
from jobs.requests import JobRequest, job_request_adapter

LONGEST_ECHO = 60  # characters of a wrong value that are shown again in its error


@dataclass(frozen=True)
class Form:
    """What stands in the form, and what is wrong with it, by field; "" is the form itself."""

    values: Mapping[str, str]
    errors: Mapping[str, str] = field(default_factory=dict)


class FormError(Exception):
    """What was typed cannot be submitted."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        """Keep a sentence per field."""
        super().__init__("; ".join(errors.values()))
        self.errors = errors


def with_choices(
    kind: KindForm, sources: Mapping[Source, Choices], values: Mapping[str, str]
) -> dict[str, Field]:
    """The fields by name, with what there is to choose from; an unknown choice stays visible."""
    return {
        name: _with_choices(each, sources.get(each.source, each.choices), values[name])
        for name, each in kind.by_name.items()
    }


def _with_choices(each: Field, choices: Choices, chosen: str) -> Field:
    if each.control != "select":
        return each
    if each.is_optional:
        choices = (("", each.empty), *choices)
    if chosen not in {value for value, _ in choices}:
        choices = (*choices, (chosen, f"{chosen} (not here)"))
    return replace(each, choices=choices)


def prefilled(kind: KindForm, query: Mapping[str, str]) -> Form:
    """The form with its defaults, and what a link says in their place."""
    return Form({name: query.get(name, each.default) for name, each in kind.by_name.items()})


def typed(kind: KindForm, posted: Mapping[str, str]) -> dict[str, str]:
    """What was typed; a checkbox that is off is not posted at all."""
    return {
        name: str(name in posted).lower()
        if each.control == "checkbox"
        else posted.get(name, each.default)
        for name, each in kind.by_name.items()
    }


def parse(kind: KindForm, values: Mapping[str, str]) -> JobRequest:
    """The job request that the typed values are.

    Raises:
        FormError: they are none.
    """
    about_job = {each.name for each in ABOUT_JOB}
    request: dict[str, Any] = {"kind": kind.kind, "params": {}}
    for name, each in kind.by_name.items():
        text = values[name].strip()
        place = request if name in about_job else request["params"]
        place[name] = None if each.is_optional and not text else text
    try:
        return job_request_adapter.validate_python(request)
    except ValidationError as error:
        wrong: dict[str, str] = {}
        for details in error.errors(include_url=False):
            wrong |= _sentences(kind, details, values)
        raise FormError({name: wrong[name] for name in kind.by_name if name in wrong}) from error


def errors_of(kind: KindForm, error: JobError) -> dict[str, str]:
    """A service's error beside the field that it is about, or above the form."""
    name = str(error.details.get("field", "")).rpartition(".")[2]
    return {name if name in kind.by_name else "": error.message}


def _sentences(kind: KindForm, details: ErrorDetails, values: Mapping[str, str]) -> dict[str, str]:
    fields = kind.by_name
    if details["type"] == "contradiction":  # fields that do not go together
        names = details["ctx"]["fields"]
        labels = ", ".join(fields[name].label for name in names)
        amount = details["ctx"]["allowed"].partition(" of ")[0]
        return {name: f"Give {amount} of these: {labels}." for name in names}
    name = str(details["loc"][-1])
    return {name: _sentence(fields[name], values[name].strip())}


def _sentence(wrong: Field, text: str) -> str:
    shown = text if len(text) <= LONGEST_ECHO else f"{text[:LONGEST_ECHO]}…"
    found = f"not “{shown}”" if text else "but it is empty"
    return f"{wrong.label} must be {wrong.allowed}, {found}."
