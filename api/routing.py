"""A route: what a view takes and answers, said once for Flask and for the OpenAPI document."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from flask import Blueprint, Response
from pydantic import BaseModel

PREFIX = "/api/v1"
STORE = "/store"  # below it: for workers, by their own keys
JSON_MEDIA_TYPE = "application/json"

View = TypeVar("View", bound=Callable[..., Response])


@dataclass(frozen=True)
class Route:
    """Decorates a view; `path` is Flask's, below the blueprint's prefix.

    Attributes:
        answer: the contract that is answered as JSON, or a media type.
        query: the contract of the query string.
        body: media type → contract, or → JSON Schema.
        headers: request header → its description.
        response_headers: the same of the answer.
        errors: what the view may raise, beside what every view may.
    """

    method: str
    path: str
    summary: str
    answer: type[BaseModel] | str
    status: int = 200
    query: type[BaseModel] | None = None
    body: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    response_headers: dict[str, str] = field(default_factory=dict)
    errors: tuple[type[Exception], ...] = ()

    def __call__(self, view: View) -> View:
        """Put this route on a view."""
        setattr(view, "route", self)  # noqa: B010  (a function has no such attribute to mypy)
        return view


def routes_of(group: object) -> Iterator[tuple[Route, Callable[..., Response]]]:
    """The routes of a group's methods, in the order they are written."""
    for name in vars(type(group)):
        view = getattr(group, name)
        route = getattr(view, "route", None)
        if isinstance(route, Route):
            yield route, view


def add_routes(blueprint: Blueprint, group: object) -> None:
    """Serve the group's methods."""
    for route, view in routes_of(group):
        blueprint.add_url_rule(route.path, view.__name__, view, methods=[route.method])
