"""The HTTP client of the command line."""

import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import click
import httpx
from pydantic import TypeAdapter

from jobs.contract import CheckpointView, JobList, JobView, WorkerView

PREFIX = "/api/v1"
TRIES = 3
RETRY_SECONDS = 0.5
SSE_SILENCE_SECONDS = 30.0  # the server sends a comment every 10 s
workers_adapter = TypeAdapter(list[WorkerView])


class ServerError(click.ClickException):
    """The server did not answer, or answered with an error.

    `status` is the HTTP status, 0 without an answer; `code` that of the problem, for programs.
    """

    def __init__(self, message: str, status: int = 0, code: str = "") -> None:
        """Keep what is known."""
        super().__init__(message)
        self.status = status
        self.code = code


class Client:
    """What the command line asks of a server, one method each; all raise `ServerError`."""

    def __init__(self, url: str, api_key: str | None = None, timeout: float = 60.0) -> None:
        """Open no connection yet.

        Args:
            url: of the server, without the API's prefix.
            api_key: needed by a server that does not listen on loopback.
            timeout: for one answer, in s.
        """
        self.url = url.rstrip("/")
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._http = httpx.Client(base_url=self.url, headers=headers, timeout=timeout)

    def __enter__(self) -> Self:
        """Use as a context."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the connections."""
        self._http.close()

    def readiness(self) -> dict[str, Any]:
        """What `/readyz` says."""
        answer: dict[str, Any] = self._request("GET", "/readyz").json()
        return answer

    def list_workers(self) -> list[WorkerView]:
        """The workers that are online."""
        items = self._request("GET", f"{PREFIX}/workers").json()["items"]
        return workers_adapter.validate_python(items)

    def submit(self, request: dict[str, Any]) -> JobView:
        """Submit a job; repeated with one key when no answer comes, so that it is made once."""
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        for attempt in range(1, TRIES + 1):
            try:
                return self._job("POST", "/jobs", json=request, headers=headers)
            except ServerError as error:
                if error.status or attempt == TRIES:
                    raise
                time.sleep(RETRY_SECONDS)
        raise AssertionError("unreachable")

    def get_job(self, job_id: str) -> JobView:
        """A job as it is now."""
        return self._job("GET", f"/jobs/{job_id}")

    def cancel(self, job_id: str) -> JobView:
        """Cancel a job."""
        return self._job("POST", f"/jobs/{job_id}/cancel")

    def list_jobs(self, limit: int, status: str | None = None) -> JobList:
        """The newest jobs."""
        params = {"limit": str(limit)} | ({"status": status} if status else {})
        response = self._request("GET", f"{PREFIX}/jobs", params=params)
        return JobList.model_validate_json(response.content)

    def import_checkpoint(self, path: Path, name: str | None) -> CheckpointView:
        """Upload a checkpoint; the server checks it and tells its id."""
        with path.open("rb") as file:
            response = self._request(
                "POST",
                f"{PREFIX}/checkpoints",
                files={"file": (path.name, file, "application/octet-stream")},
                data={"name": name} if name else {},
            )
        return CheckpointView.model_validate_json(response.content)

    def download(self, job_id: str, target: Path) -> None:
        """Write the zip of all that a job made to `target`."""
        try:
            with self._http.stream("GET", f"{PREFIX}/jobs/{job_id}/download") as response:
                _check(response)
                with target.open("wb") as file:
                    for chunk in response.iter_bytes():
                        file.write(chunk)
        except httpx.TransportError as error:
            raise self._no_answer(error) from error

    def event_lines(self, job_id: str, last_event_id: str | None) -> Iterator[str]:
        """Lines of a job's event stream (SSE), until it breaks."""
        headers = {"Accept": "text/event-stream"}
        if last_event_id:
            headers["Last-Event-ID"] = last_event_id
        try:
            with self._http.stream(
                "GET",
                f"{PREFIX}/jobs/{job_id}/events",
                headers=headers,
                timeout=SSE_SILENCE_SECONDS,
            ) as response:
                _check(response)
                yield from response.iter_lines()
        except httpx.TransportError as error:
            raise self._no_answer(error) from error

    def _job(self, method: str, path: str, **options: Any) -> JobView:
        response = self._request(method, PREFIX + path, **options)
        return JobView.model_validate_json(response.content)

    def _request(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            response = self._http.request(method, path, **options)
            _check(response)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise self._no_answer(error) from error
        return response

    def _no_answer(self, error: Exception) -> ServerError:
        return ServerError(
            f"no answer from {self.url} ({error}); is `darkroom up` running there? "
            "--url or DARKROOM_URL names another server"
        )


def _check(response: httpx.Response) -> None:
    """Raise what an error answer says, as problem+json where it is that."""
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
    raise ServerError(message, response.status_code, code)
