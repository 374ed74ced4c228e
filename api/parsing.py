"""Requests into contracts; what does not fit is said field by field."""

import json
import math
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from flask import request
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from api.allowed import Schema, describe, known_fields, schema_at
from api.errors import BodyTooLargeError, FieldProblem, InvalidFieldsError, MalformedJsonError
from api.routing import JSON_MEDIA_TYPE
from api.unions import settled

MAX_JSON_BYTES = 2**20
MAX_SHOWN_CHARACTERS = 200  # of a value that is sent back

T = TypeVar("T")
Model = TypeVar("Model", bound=BaseModel)


def parse_json(adapter: TypeAdapter[T]) -> T:
    """The request's JSON body; types are taken as they are ("5" is no integer).

    Raises:
        UnsupportedMediaType: the body is not said to be JSON.
        BodyTooLargeError: it is over MAX_JSON_BYTES.
        MalformedJsonError: it is not JSON.
        InvalidFieldsError: it does not fit the contract.
    """
    if not request.is_json:
        raise UnsupportedMediaType(
            f"the Content-Type must be {JSON_MEDIA_TYPE}, not {request.mimetype or 'absent'}"
        )
    request.max_content_length = MAX_JSON_BYTES
    try:
        body = request.get_data(cache=False)
    except RequestEntityTooLarge as error:
        raise BodyTooLargeError(
            f"the body is too large: {MAX_JSON_BYTES} bytes are allowed"
        ) from error
    try:
        return adapter.validate_json(body, strict=True)
    except ValidationError as error:
        details = error.errors(include_url=False)
        if details[0]["type"] == "json_invalid":
            raise MalformedJsonError(f"the body is not JSON: {details[0]['msg']}") from error
        schema = adapter.json_schema()
        raise InvalidFieldsError(_problems(details, schema)) from error


def parse_query(model: type[Model]) -> Model:
    """The request's query string.

    Raises:
        InvalidFieldsError: it does not fit the contract.
    """
    return parse_fields(model, request.args.to_dict())


def parse_fields(model: type[Model], fields: dict[str, str]) -> Model:
    """Texts of a query string or a form.

    Raises:
        InvalidFieldsError: they do not fit the contract.
    """
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        schema = model.model_json_schema()
        raise InvalidFieldsError(_problems(error.errors(include_url=False), schema)) from error


def _problems(details: Iterable[ErrorDetails], schema: Schema) -> list[FieldProblem]:
    problems: list[FieldProblem] = []
    for error in settled(details, schema):
        if error["type"] == "contradiction":
            problems += _contradiction(error, schema)
        elif error["type"] in ("union_tag_invalid", "union_tag_not_found"):
            problems.append(_unknown_member(error, schema))
        else:
            problems.append(_field_problem(error, schema))
    return problems


def _contradiction(error: ErrorDetails, schema: Schema) -> Iterator[FieldProblem]:
    """Fields that do not go together: each is named, with the same sentence."""
    _, path = schema_at(schema, error["loc"])
    allowed = error["ctx"]["allowed"]
    given = error["input"]
    place = f"{'.'.join(path)}: " if path else ""
    for name in error["ctx"]["fields"]:
        yield FieldProblem(
            field=".".join([*path, name]),
            message=f"{place}give {allowed}",
            value=_shown(given.get(name)),
            allowed=allowed,
        )


def _unknown_member(error: ErrorDetails, schema: Schema) -> FieldProblem:
    """The field that says which member of a union it is, absent or unknown."""
    node, path = schema_at(schema, error["loc"])
    discriminator = (node or {})["discriminator"]
    field = ".".join([*path, discriminator["propertyName"]])
    allowed = " or ".join(json.dumps(name) for name in discriminator["mapping"])
    if error["type"] == "union_tag_not_found":
        message = f"{field} is missing: it must be {allowed}"
        return FieldProblem(field=field, message=message, allowed=allowed)
    value = error["input"][discriminator["propertyName"]]
    message = f"{field} must be {allowed}, not {_quoted(value)}"
    return FieldProblem(field=field, message=message, value=_shown(value), allowed=allowed)


def _field_problem(error: ErrorDetails, schema: Schema) -> FieldProblem:
    node, path = schema_at(schema, error["loc"])
    field = ".".join(path)
    if error["type"] == "missing":
        allowed = describe(node or {}, schema)
        message = f"{field} is missing: it must be {allowed}"
        return FieldProblem(field=field, message=message, allowed=allowed)
    value = _shown(error["input"])
    if error["type"] == "extra_forbidden":
        parent, _ = schema_at(schema, error["loc"][:-1])
        allowed = ", ".join(known_fields(parent))
        message = f"{field} is not known; known are {allowed}"
    elif node is None:  # not in the schema: pydantic's own words
        return FieldProblem(field=field, message=error["msg"], value=value)
    else:
        allowed = describe(node, schema)
        message = f"{field or 'the body'} must be {allowed}, not {_quoted(error['input'])}"
    return FieldProblem(field=field, message=message, value=value, allowed=allowed)


def _shown(value: Any) -> Any:
    """The value as JSON can carry it: NaN and structures as text, long texts shortened."""
    if isinstance(value, bool | int | None) or (isinstance(value, float) and math.isfinite(value)):
        return value
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= MAX_SHOWN_CHARACTERS else text[:MAX_SHOWN_CHARACTERS] + "…"


def _quoted(value: Any) -> str:
    """The same in a sentence: only texts stand in quotes."""
    shown = _shown(value)
    is_text = isinstance(value, str) or not isinstance(shown, str)
    return json.dumps(shown, ensure_ascii=False) if is_text else shown
