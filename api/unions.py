"""Errors of a value that may be several things: only those of what it was meant to be."""

from collections.abc import Iterable
from itertools import groupby

from pydantic_core import ErrorDetails

from api.allowed import Schema, choice_length, fields_of_member


def settled(details: Iterable[ErrorDetails], schema: Schema) -> list[ErrorDetails]:
    """The errors without those of members of a union that the value was not meant to be.

    pydantic names the errors of every member. An object is meant to be the member with which it
    shares a field; if there is none, and for any other value, one error of the whole union is left.

    Args:
        details: pydantic's errors.
        schema: JSON Schema of what was validated.
    """
    left: list[ErrorDetails] = []
    for place, group in groupby(details, lambda each: _place(each, schema)):
        errors = list(group)
        left += errors if place is None else _of_one_member(errors, len(place), schema)
    return left


def _place(error: ErrorDetails, schema: Schema) -> tuple[int | str, ...] | None:
    """Where the union is that the error is of, if it is of one."""
    length = choice_length(schema, error["loc"])
    return None if length is None else error["loc"][:length]


def _of_one_member(errors: list[ErrorDetails], length: int, schema: Schema) -> list[ErrorDetails]:
    whole = [error for error in errors if len(error["loc"]) == length + 1]
    value = whole[0]["input"] if whole else None
    by_member: dict[int | str, list[ErrorDetails]] = {}
    for error in errors:
        by_member.setdefault(error["loc"][length], []).append(error)
    if isinstance(value, dict):
        meant = [
            of_member
            for member, of_member in by_member.items()
            if not value.keys().isdisjoint(fields_of_member(schema, member))
        ]
        if meant:
            return min(meant, key=len)
    return whole[:1] or errors
