"""What a server says is wrong, as an error of the command line."""

from http import HTTPStatus

import click
import httpx


class ServerError(click.ClickException):
    """The server did not answer, or answered with an error.

    `status` is the HTTP status, 0 without an answer; `code` that of the problem, for programs;
    `retry_after` the seconds after which a 503 wants to be asked again.
    """

    def __init__(
        self, message: str, status: int = 0, code: str = "", retry_after: float | None = None
    ) -> None:
        """Keep what is known."""
        super().__init__(message)
        self.status = status
        self.code = code
        self.retry_after = retry_after


def check(response: httpx.Response) -> None:
    """Raise what an error answer says, as problem+json where it is that.

    Raises:
        ServerError: it is no success.
    """
    if response.is_success:
        return
    response.read()
    try:
        problem = response.json()
        message = f"{problem['detail']} [{problem['status']} {problem['code']}]"
        for wrong in problem.get("errors") or []:
            allowed = f"; allowed: {wrong['allowed']}" if wrong.get("allowed") else ""
            message += f"\n  {wrong['field'] or 'request'}: {wrong['message']}{allowed}"
        code = str(problem["code"])
    except (ValueError, KeyError, TypeError):
        message, code = f"{response.url} answered {response.status_code}, not as Darkroom does", ""
    raise ServerError(message, response.status_code, code, _retry_after(response))


def _retry_after(response: httpx.Response) -> float | None:
    said = response.headers.get("Retry-After", "")
    is_known = response.status_code == HTTPStatus.SERVICE_UNAVAILABLE and said.isdigit()
    return float(said) if is_known else None
