"""The HTTP client of the command line."""

import contextlib
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
from pydantic import BaseModel

from darkroom.server_error import ServerError, check
from jobs.contract import (
    CanceledJob,
    CheckpointView,
    Curves,
    CurvesView,
    DatasetView,
    Deleted,
    JobList,
    JobView,
    UploadView,
    WorkerView,
)
from jobs.queue_contract import PauseView, QueueView

PREFIX = "/api/v1"
TRIES = 3
RETRY_SECONDS = 0.5
PATIENCE_SECONDS = 60.0  # for a server that says what hinders it, and when to ask again
SSE_SILENCE_SECONDS = 30.0  # the server sends a comment every 10 s
OCTETS = "application/octet-stream"
PNG = "image/png"
View = TypeVar("View", bound=BaseModel)


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
        return self._list("/workers", WorkerView)

    def list_checkpoints(self) -> list[CheckpointView]:
        """All checkpoints, the newest first."""
        return self._list("/checkpoints", CheckpointView)

    def list_datasets(self) -> list[DatasetView]:
        """All datasets, the synthetic one first."""
        return self._list("/datasets", DatasetView)

    def list_uploads(self) -> list[UploadView]:
        """All uploaded pictures, the newest first."""
        return self._list("/uploads", UploadView)

    def submit(self, request: dict[str, Any]) -> JobView:
        """Submit a job; repeated with one key when no answer comes, so that it is made once."""
        return self._new_job("/jobs", json=request)

    def submit_batch(self, request: dict[str, Any]) -> list[JobView]:
        """Submit several jobs, all or none; repeated as one is."""
        return self._new_jobs("/batches", request)

    def submit_assignment(self, request: dict[str, Any]) -> list[JobView]:
        """Submit the whole assignment; repeated as one job is."""
        return self._new_jobs("/assignments", request)

    def repeat(self, picture: Path) -> JobView:
        """Submit the job that made this PNG again; repeated as a submission is."""
        return self._new_job("/jobs", content=picture.read_bytes(), media_type=PNG)

    def retry(self, job_id: str) -> JobView:
        """Make a job that has ended anew; repeated as a submission is."""
        return self._new_job(f"/jobs/{job_id}/retry")

    def get_job(self, job_id: str) -> JobView:
        """A job as it is now."""
        return self._job("GET", f"/jobs/{job_id}")

    def change_job(self, job_id: str, change: dict[str, Any]) -> JobView:
        """Give a job that has not ended another priority or name."""
        return self._job("PATCH", f"/jobs/{job_id}", json=change)

    def queue(self) -> QueueView:
        """Pauses, usage, speeds and how estimates came true."""
        return QueueView.model_validate_json(self._request("GET", f"{PREFIX}/queue").content)

    def pause(self, scope: str, reason: str) -> PauseView:
        """Pause a kind, or `all`."""
        response = self._request("PUT", f"{PREFIX}/queue/pauses/{scope}", json={"reason": reason})
        return PauseView.model_validate_json(response.content)

    def resume(self, scope: str) -> None:
        """End the pause of a kind, or of `all`."""
        self._request("DELETE", f"{PREFIX}/queue/pauses/{scope}")

    def set_drain(self, worker_id: str, *, is_drained: bool) -> WorkerView:
        """Drain a worker, or undo that."""
        method = "PUT" if is_drained else "DELETE"
        response = self._request(method, f"{PREFIX}/workers/{worker_id}/drain")
        return WorkerView.model_validate_json(response.content)

    def cancel(self, job_id: str) -> CanceledJob:
        """Cancel a job, and all that wait for it."""
        response = self._request("POST", f"{PREFIX}/jobs/{job_id}/cancel")
        return CanceledJob.model_validate_json(response.content)

    def delete(self, kind: str, named: str) -> Deleted:
        """Delete a job that has ended, a checkpoint, a dataset or an upload, and its files."""
        response = self._request("DELETE", f"{PREFIX}/{kind}s/{named}")
        return Deleted.model_validate_json(response.content)

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
                files={"file": (path.name, file, OCTETS)},
                data={"name": name} if name else {},
            )
        return CheckpointView.model_validate_json(response.content)

    def import_dataset(self, faces: Path, ages: Path | None, name: str | None) -> DatasetView:
        """Upload faces, and their ages; the server checks them and tells their id."""
        with contextlib.ExitStack() as opened:
            files = {
                field: (path.name, opened.enter_context(path.open("rb")), OCTETS)
                for field, path in (("faces", faces), ("ages", ages))
                if path is not None
            }
            response = self._request(
                "POST", f"{PREFIX}/datasets", files=files, data={"name": name} if name else {}
            )
        return DatasetView.model_validate_json(response.content)

    def import_upload(self, path: Path, name: str | None) -> UploadView:
        """Upload a face or a mask; the server checks it and tells its id."""
        with path.open("rb") as file:
            response = self._request(
                "POST",
                f"{PREFIX}/uploads",
                files={"file": (path.name, file, PNG)},
                data={"name": name} if name else {},
            )
        return UploadView.model_validate_json(response.content)

    def curves(self, job_id: str) -> Curves:
        """The curves of a job that trains, as far as they are."""
        response = self._request("GET", f"{PREFIX}/jobs/{job_id}/curves")
        return CurvesView.model_validate_json(response.content).curves

    def download(self, job_id: str, target: Path) -> None:
        """Write the zip of all that a job made to `target`."""
        try:
            with self._http.stream("GET", f"{PREFIX}/jobs/{job_id}/download") as response:
                check(response)
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
                check(response)
                yield from response.iter_lines()
        except httpx.TransportError as error:
            raise self._no_answer(error) from error

    def _new_job(self, path: str, **options: Any) -> JobView:
        return JobView.model_validate_json(self._post_once(path, **options).content)

    def _new_jobs(self, path: str, request: dict[str, Any]) -> list[JobView]:
        items = self._post_once(path, json=request).json()["items"]
        return [JobView.model_validate(each) for each in items]

    def _post_once(
        self, path: str, media_type: str | None = None, **options: Any
    ) -> httpx.Response:
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        if media_type is not None:
            headers["Content-Type"] = media_type
        tries = 0
        patient_until = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return self._request("POST", PREFIX + path, headers=headers, **options)
            except ServerError as error:
                tries += not error.status
                may_pass = error.retry_after is not None and time.monotonic() < patient_until
                if tries == TRIES or (error.status and not may_pass):
                    raise
                time.sleep(RETRY_SECONDS if error.retry_after is None else error.retry_after)

    def _list(self, path: str, kind: type[View]) -> list[View]:
        items = self._request("GET", PREFIX + path).json()["items"]
        return [kind.model_validate(each) for each in items]

    def _job(self, method: str, path: str, **options: Any) -> JobView:
        response = self._request(method, PREFIX + path, **options)
        return JobView.model_validate_json(response.content)

    def _request(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            response = self._http.request(method, path, **options)
            check(response)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise self._no_answer(error) from error
        return response

    def _no_answer(self, error: Exception) -> ServerError:
        return ServerError(
            f"no answer from {self.url} ({error}); is `darkroom up` running there? "
            "--url or DARKROOM_URL names another server"
        )
