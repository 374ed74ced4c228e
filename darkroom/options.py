"""Options and settings that several commands share."""

from collections.abc import Callable
from typing import Any, TypeVar

import click
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from darkroom.client import Client
from jobs.artifacts import is_http
from jobs.http_files import refusal_of
from jobs.logs import configure_logging
from jobs.redis_access import RedisRefusedError, check_redis, masked
from jobs.settings import Settings, WorkerSettings

SettingsT = TypeVar("SettingsT", bound=Settings)
Decorated = TypeVar("Decorated", bound=Callable[..., Any])

EX_CONFIG = 78  # sysexits.h; supervisors of ours do not start such a program again
SECRETS = ("api_keys", "worker_keys", "artifacts_key")
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


class RefusedError(click.ClickException):
    """The settings can never work, however often the program is started."""

    exit_code = EX_CONFIG


def require_redis(settings: Settings) -> None:
    """End if Redis refuses its URL; that it is away is no reason.

    Raises:
        RefusedError: a wrong password, certificate or URL.
    """
    try:
        check_redis(settings.redis_url)
    except RedisRefusedError as error:
        raise RefusedError(str(error)) from error


def require_store(settings: WorkerSettings) -> None:
    """End if an artifact store over HTTP refuses the worker's key; that it is away is no reason.

    Raises:
        RefusedError: a wrong or missing key, or a wrong URL.
    """
    if is_http(settings.artifacts_url):
        refusal = refusal_of(settings.artifacts_url, settings.artifacts_key)
        if refusal is not None:
            raise RefusedError(refusal)


def _explain(error: ValueError) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    return "\n".join(map(_explain_one, error.errors()))


def _explain_one(problem: ErrorDetails) -> str:
    setting, *rest = (str(part) for part in problem["loc"])
    if setting in SECRETS:  # neither its value nor a key of it is shown
        return f"DARKROOM_{setting.upper()}: {problem['msg']}"
    name = ".".join([setting, *rest]).upper()
    return f"DARKROOM_{name}: {problem['msg']}, not {masked(repr(problem['input']))}"
