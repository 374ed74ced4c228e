"""What was typed into a form, as a job request, or as sentences beside its fields."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from werkzeug.datastructures import MultiDict

from dashboard.forms.fields import ABOUT_JOB, Choices, Control, Field, KindForm
from dashboard.typed import read_list, read_pairs, read_reference
from jobs.errors import JobError
from jobs.requests import AssignmentRequest, JobRequest, job_request_adapter

LONGEST_ECHO = 60  # characters of a wrong value that are shown again in its error
READERS: Mapping[Control, Callable[[str], Any]] = {
    "list": read_list,
    "several": read_list,
    "pairs": read_pairs,
}


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
    kind: KindForm, offered: Mapping[str, Choices], values: Mapping[str, str]
) -> dict[str, Field]:
    """The fields by name, with what there is to choose from; an unknown choice stays visible.

    Args:
        kind: of the form.
        offered: field → choices, of those whose choices are not fixed.
        values: what stands in the fields.
    """
    return {
        name: _with_choices(each, offered.get(name, each.choices), values[name])
        for name, each in kind.by_name.items()
    }


def _with_choices(each: Field, choices: Choices, chosen: str) -> Field:
    if each.control == "several":
        labels = dict(choices)
        first = read_list(chosen)  # in the order in which they were chosen
        others = [value for value in labels if value not in first]
        return replace(
            each, choices=tuple((it, labels.get(it, f"{it} (not here)")) for it in first + others)
        )
    if each.control != "select":
        return each
    if each.is_optional:
        choices = (("", each.empty), *choices)
    if chosen not in {value for value, _ in choices}:
        choices = (*choices, (chosen, f"{chosen} (not here)"))
    return replace(each, choices=choices)


def prefilled(kind: KindForm, query: MultiDict[str, str]) -> Form:
    """The form with its defaults, and what a link says in their place."""
    return Form(
        {
            name: ", ".join(query.getlist(name)) if name in query else each.default
            for name, each in kind.by_name.items()
        }
    )


def typed(kind: KindForm, posted: MultiDict[str, str]) -> dict[str, str]:
    """What was typed; a checkbox that is off is not posted at all."""
    return {name: _typed(each, posted) for name, each in kind.by_name.items()}


def _typed(each: Field, posted: MultiDict[str, str]) -> str:
    if each.control == "checkbox":
        return str(each.name in posted).lower()
    if each.control == "several":
        return ", ".join(posted.getlist(each.name))
    return posted.get(each.name, each.default)


def parse(kind: KindForm, values: Mapping[str, str]) -> JobRequest:
    """The job request that the typed values are.

    Raises:
        FormError: they are none.
    """
    about_job = {each.name for each in ABOUT_JOB}
    given = _read(kind, values)
    request = {name: value for name, value in given.items() if name in about_job}
    params = {name: value for name, value in given.items() if name not in about_job}
    try:
        return job_request_adapter.validate_python(request | {"kind": kind.kind, "params": params})
    except ValidationError as error:
        raise _form_error(kind, error, values) from error


def parse_assignment(kind: KindForm, values: Mapping[str, str]) -> AssignmentRequest:
    """The request for the whole assignment that the typed values are.

    Raises:
        FormError: they are none.
    """
    try:
        return AssignmentRequest.model_validate(_read(kind, values))
    except ValidationError as error:
        raise _form_error(kind, error, values) from error


def errors_of(kind: KindForm, error: JobError) -> dict[str, str]:
    """A service's error beside the field that it is about, or above the form."""
    path = str(error.details.get("field", "")).split(".")
    return {_field_of(kind, path): error.message}


def _read(kind: KindForm, values: Mapping[str, str]) -> dict[str, Any]:
    return {name: _read_field(each, values[name].strip()) for name, each in kind.by_name.items()}


def _read_field(each: Field, text: str) -> Any:
    if each.is_optional and not text:
        return None
    if each.is_reference:
        return read_reference(text)
    read = READERS.get(each.control)
    return read(text) if read else text


def _field_of(kind: KindForm, path: Sequence[object]) -> str:
    """The form's field that a path into a request leads to; "" if to none."""
    return next((str(part) for part in path if part in kind.by_name), "")


def _form_error(kind: KindForm, error: ValidationError, values: Mapping[str, str]) -> FormError:
    wrong: dict[str, str] = {}
    for details in error.errors(include_url=False):
        wrong |= _sentences(kind, details, values)
    return FormError({name: wrong[name] for name in ("", *kind.by_name) if name in wrong})


def _sentences(kind: KindForm, details: ErrorDetails, values: Mapping[str, str]) -> dict[str, str]:
    fields = kind.by_name
    if details["type"] == "contradiction":  # fields that do not go together
        names = details["ctx"]["fields"]
        sentence = _contradiction(fields, names, details["ctx"]["allowed"])
        return dict.fromkeys(names, sentence)
    name = _field_of(kind, details["loc"])
    if not name:
        return {"": details["msg"]}
    return {name: _sentence(fields[name], values[name].strip())}


def _contradiction(fields: Mapping[str, Field], names: Sequence[str], allowed: str) -> str:
    labels = ", ".join(fields[name].label for name in names)
    amount, of, _ = allowed.partition(" one of ")
    if of:
        return f"Give {amount} one of these: {labels}."
    words = re.sub(r"\w+", lambda word: _label(fields, names, word[0]), allowed.replace("`", ""))
    return f"These do not go together: {labels}. Give {words}."


def _label(fields: Mapping[str, Field], names: Sequence[str], word: str) -> str:
    return f"“{fields[word].label}”" if word in names else word


def _sentence(wrong: Field, text: str) -> str:
    shown = text if len(text) <= LONGEST_ECHO else f"{text[:LONGEST_ECHO]}…"
    found = f"not “{shown}”" if text else "but it is empty"
    return f"{wrong.label} must be {wrong.allowed}, {found}."
