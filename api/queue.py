"""The queue: what it looks like, pauses, and the workers that take its shards."""

from flask import Response
from pydantic import TypeAdapter
from werkzeug.exceptions import UnsupportedMediaType

from api.errors import BodyTooLargeError, MalformedJsonError
from api.parsing import parse_json
from api.responses import WorkerList, json_response
from api.routing import JSON_MEDIA_TYPE, Route
from api.submitting import submitter
from jobs import errors
from jobs.contract import WorkerView
from jobs.queue_contract import PauseView, QueueView
from jobs.requests import PauseRequest
from jobs.service import JobService

pause_adapter: TypeAdapter[PauseRequest] = TypeAdapter(PauseRequest)


class QueueRoutes:
    """What can be done with the queue and its workers."""

    def __init__(self, service: JobService) -> None:
        """Act through the service."""
        self._service = service

    @Route(
        "GET",
        "/queue",
        "Look at the queue: pauses, device time used of late, measured speeds, and how often the "
        "first estimates of the last 100 jobs came true",
        QueueView,
    )
    def get_queue(self) -> Response:
        """The queue as it is now."""
        return json_response(self._service.queue())

    @Route(
        "PUT",
        "/queue/pauses/<scope>",
        "Pause a kind of job, or `all`. Nothing new is sent; what runs goes on",
        PauseView,
        body={JSON_MEDIA_TYPE: pause_adapter},
        errors=(
            errors.ValidationError,
            MalformedJsonError,
            BodyTooLargeError,
            UnsupportedMediaType,
        ),
    )
    def pause_queue(self, scope: str) -> Response:
        """Pause, or change the reason of a pause."""
        reason = parse_json(pause_adapter).reason
        by = submitter(None, has_keys=False)
        return json_response(self._service.pause_queue(scope, reason, by))

    @Route(
        "DELETE",
        "/queue/pauses/<scope>",
        "End a pause. The answer is the queue",
        QueueView,
        errors=(errors.PauseNotFoundError,),
    )
    def resume_queue(self, scope: str) -> Response:
        """Send again."""
        self._service.resume_queue(scope)
        return json_response(self._service.queue())

    @Route("GET", "/workers", "List the workers that are online", WorkerList)
    def list_workers(self) -> Response:
        """Who runs shards."""
        return json_response(WorkerList(items=self._service.list_workers()))

    @Route(
        "PUT",
        "/workers/<worker_id>/drain",
        "Drain a worker. It finishes what it holds, gets no more shards, and stays idle",
        WorkerView,
        errors=(errors.WorkerNotFoundError,),
    )
    def drain_worker(self, worker_id: str) -> Response:
        """Send it nothing more."""
        by = submitter(None, has_keys=False)
        return json_response(self._service.drain_worker(worker_id, by))

    @Route(
        "DELETE",
        "/workers/<worker_id>/drain",
        "Undo the drain of a worker",
        WorkerView,
        errors=(errors.WorkerNotFoundError,),
    )
    def undrain_worker(self, worker_id: str) -> Response:
        """Send it shards again."""
        return json_response(self._service.undrain_worker(worker_id))
