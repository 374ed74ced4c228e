"""The OpenAPI 3.1 document, made of the routes and the contract."""

import importlib.metadata
import json
import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from flask import Response
from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode

from api.errors import PROBLEM_MEDIA_TYPE, Problem, code_of, status_of, title_of
from api.routing import JSON_MEDIA_TYPE, PREFIX, Route, routes_of
from jobs import errors
from jobs.contract import JobUpdate

OF_EVERY_VIEW = (  # it passes, and `Retry-After` says when to ask again
    errors.DatabaseBusyError,
    errors.DatabaseUnavailableError,
    errors.StorageFullError,
)
COMPONENTS = "#/components/schemas/{model}"
PARAMETER = re.compile(r"<(?:(?P<converter>\w+):)?(?P<name>\w+)>")
BINARY = {"type": "string", "contentEncoding": "binary"}

Document = dict[str, Any]


class OpenApiRoutes:
    """Where programs read what the API takes and answers."""

    def __init__(self, groups: Iterable[object]) -> None:
        """Describe the routes of these groups, and this one."""
        routes = [route for group in [*groups, self] for route, _ in routes_of(group)]
        # When it is asked for: a program that starts would wait 0.2 s for it.
        self._document = cache(lambda: json.dumps(make_document(routes)))

    @Route("GET", "/openapi.json", "This document", JSON_MEDIA_TYPE)
    def openapi(self) -> Response:
        """The document as JSON."""
        return Response(self._document(), mimetype=JSON_MEDIA_TYPE)


def make_document(routes: Sequence[Route]) -> Document:
    """The OpenAPI document of these routes; their paths are below PREFIX."""
    schemas = _Schemas(routes)
    paths: Document = {}
    for route in routes:
        path = PREFIX + PARAMETER.sub(r"{\g<name>}", route.path)
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Darkroom",
            "version": importlib.metadata.version("darkroom"),
            "description": "A job queue for face diffusion. Errors are problem+json (RFC 9457).",
        },
        "paths": paths,
        "security": [{}, {"key": []}],
        "components": {
            "schemas": schemas.components,
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "Needed where DARKROOM_API_KEYS is set.",
                }
            },
        },
    }


class _Schemas:
    """JSON Schemas of all contracts that the routes name, in one set of components."""

    def __init__(self, routes: Sequence[Route]) -> None:
        adapters: list[tuple[str, JsonSchemaMode, TypeAdapter[Any]]] = [
            (model.__name__, "serialization", TypeAdapter(model)) for model in (Problem, JobUpdate)
        ]
        for route in routes:
            if isinstance(route.answer, type):
                adapters.append((route.answer.__name__, "serialization", TypeAdapter(route.answer)))
            for body in route.body.values():
                if isinstance(body, TypeAdapter):
                    adapters.append((str(id(body)), "validation", body))
        inputs = [(name, mode, each.core_schema) for name, mode, each in adapters]
        by_key, self.components = GenerateJsonSchema(ref_template=COMPONENTS).generate_definitions(
            inputs
        )
        self._by_name = {name: schema for (name, _mode), schema in by_key.items()}

    def of(self, source: "type[BaseModel] | TypeAdapter[Any] | Document") -> Document:
        """The schema of a route's answer or body."""
        if isinstance(source, dict):
            return source
        name = source.__name__ if isinstance(source, type) else str(id(source))
        return self._by_name[name]


def _operation(route: Route, schemas: _Schemas) -> Document:
    summary, _, description = route.summary.partition(". ")
    operation: Document = {
        "summary": summary,
        "parameters": [*_path_parameters(route), *_query_parameters(route), *_headers(route)],
        "responses": _responses(route, schemas),
    }
    if description:
        operation["description"] = description
    if route.body:
        content = {media: {"schema": schemas.of(body)} for media, body in route.body.items()}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _path_parameters(route: Route) -> Iterable[Document]:
    for found in PARAMETER.finditer(route.path):
        is_integer = found["converter"] == "int"
        schema = {"type": "integer", "minimum": 0} if is_integer else {"type": "string"}
        yield {"name": found["name"], "in": "path", "required": True, "schema": schema}


def _query_parameters(route: Route) -> Iterable[Document]:
    if route.query is None:
        return
    whole = route.query.model_json_schema(ref_template=COMPONENTS)
    for name, schema in whole["properties"].items():
        description = {key: schema.pop(key) for key in ("description",) if key in schema}
        yield {"name": name, "in": "query", "schema": schema} | description


def _headers(route: Route) -> Iterable[Document]:
    for name, description in route.headers.items():
        schema = {"type": "string"}
        yield {"name": name, "in": "header", "description": description, "schema": schema}


def _responses(route: Route, schemas: _Schemas) -> Document:
    answer = route.answer
    if isinstance(answer, str):
        is_text = answer.startswith("text/")
        content: Document = {answer: {"schema": {"type": "string"} if is_text else BINARY}}
        if answer == JSON_MEDIA_TYPE:
            content = {answer: {"schema": {"type": "object"}}}
    else:
        content = {JSON_MEDIA_TYPE: {"schema": schemas.of(answer)}}
    headers = {
        name: {"description": text, "schema": {"type": "string"}}
        for name, text in route.response_headers.items()
    }
    responses: Document = {
        str(route.status): {"description": "Done.", "content": content, "headers": headers}
    }
    if "ETag" in route.response_headers:
        responses["304"] = {"description": "As in `If-None-Match`."}
    by_status: dict[int, list[type[Exception]]] = {}
    for error in (*route.errors, *OF_EVERY_VIEW):
        by_status.setdefault(status_of(error), []).append(error)
    for status, kinds in sorted(by_status.items()):
        text = " ".join(f"`{code_of(kind)}`: {title_of(kind)}." for kind in kinds)
        responses[str(status)] = _problem(text, schemas)
    responses["default"] = _problem("Any other error; `code` says which.", schemas)
    return responses


def _problem(description: str, schemas: _Schemas) -> Document:
    content = {PROBLEM_MEDIA_TYPE: {"schema": schemas.of(Problem)}}
    return {"description": description, "content": content}
