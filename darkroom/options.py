"""Options and settings that several commands share."""

import re
from collections.abc import Callable
from typing import Any, TypeVar

import click
from pydantic import ValidationError

from darkroom.client import Client
from jobs.logs import configure_logging
from jobs.settings import Settings

SettingsT = TypeVar("SettingsT", bound=Settings)
Decorated = TypeVar("Decorated", bound=Callable[..., Any])

_PASSWORD = re.compile(r"(://[^:/@\s]*:)\S*@")  # in a URL

DEFAULT_URL = "http://127.0.0.1:8000"

url_option = click.option(
    "--url",
    envvar="DARKROOM_URL",
    show_envvar=True,
    default=DEFAULT_URL,
    show_default=True,
    help="The server to talk to.",
)
api_key_option = click.option(
    "--api-key",
    envvar="DARKROOM_API_KEY",
    show_envvar=True,
    help="Your key, where the server asks for one.",
)


def with_client(function: Decorated) -> Decorated:
    """Add --url and --api-key to a command, and give it a `client` in their place."""

    def run(url: str, api_key: str | None, **given: Any) -> Any:
        with Client(url, api_key) as client:
            return function(client=client, **given)

    run.__doc__ = function.__doc__
    run.__click_params__ = getattr(function, "__click_params__", [])  # type: ignore[attr-defined]  # click's own mark
    return url_option(api_key_option(run))  # type: ignore[return-value]  # same click options


def read_settings(kind: type[SettingsT], **given: Any) -> SettingsT:
    """The settings of a program from the environment, options going first; logging follows them.

    Args:
        kind: of the settings.
        given: options by their setting's name; None was not given.

    Raises:
        click.ClickException: a value is not allowed.
    """
    try:
        settings = kind(**{name: value for name, value in given.items() if value is not None})
    except (ValidationError, ValueError) as error:
        raise click.ClickException(_explain(error)) from error
    configure_logging(settings.log_level)
    return settings


def _explain(error: ValueError) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    return "\n".join(
        f"DARKROOM_{'.'.join(str(part) for part in problem['loc']).upper()}: {problem['msg']}, "
        f"not {_without_password(problem['input'])}"
        for problem in error.errors()
    )


def _without_password(value: Any) -> str:
    return _PASSWORD.sub(r"\1***@", repr(value))
