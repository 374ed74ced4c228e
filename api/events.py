"""Committed changes as server-sent events (WHATWG HTML, 9.2), for one job or for all."""

import threading
from collections.abc import Iterator

from flask import Response, request

from api.errors import TooManyStreamsError
from api.routing import Route
from jobs import errors
from jobs.broadcast import Broadcaster, Event
from jobs.service import JobService

EVENT_STREAM = "text/event-stream"
RETRY_MS = 2000  # after which a browser connects anew
THREADS_PER_SPARE = 8  # one thread in so many is kept free of streams
LAST_EVENT_ID = {"Last-Event-ID": "The last `id` that was received: what came after it is sent."}
MEANING = (
    "`update` carries a JobUpdate; on `reset`, and every 30 s, fetch the job anew. "
    "Comments keep the connection alive."
)


class EventRoutes:
    """Streams that stay open."""

    def __init__(self, service: JobService, broadcaster: Broadcaster, web_threads: int) -> None:
        """Each open stream holds one of `web_threads`; some are kept for other requests."""
        self._service = service
        self._broadcaster = broadcaster
        self._limit = web_threads - max(1, web_threads // THREADS_PER_SPARE)
        self._places = threading.BoundedSemaphore(self._limit)

    @Route(
        "GET",
        "/jobs/<job_id>/events",
        f"Follow a job. {MEANING}",
        EVENT_STREAM,
        headers=LAST_EVENT_ID,
        errors=(errors.JobNotFoundError, TooManyStreamsError),
    )
    def follow_job(self, job_id: str) -> Response:
        """Changes of one job, until the caller leaves."""
        self._service.get_job(job_id)
        return self._stream(job_id)

    @Route(
        "GET",
        "/events",
        f"Follow all jobs. {MEANING}",
        EVENT_STREAM,
        headers=LAST_EVENT_ID,
        errors=(TooManyStreamsError,),
    )
    def follow_all(self) -> Response:
        """Changes of all jobs, until the caller leaves."""
        return self._stream(None)

    def _stream(self, job_id: str | None) -> Response:
        response = Response(mimetype=EVENT_STREAM)
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Accel-Buffering"] = "no"  # nginx passes events on at once
        if request.method == "HEAD":  # has no body whose end would free the place
            return response
        if not self._places.acquire(blocking=False):
            raise TooManyStreamsError(
                f"all {self._limit} places for open event streams are taken; "
                "DARKROOM_WEB_THREADS gives more",
                retry_after=5,
            )
        events = self._broadcaster.subscribe(job_id, request.headers.get("Last-Event-ID"))
        response.response = _lines(events)
        response.call_on_close(self._places.release)
        return response


def _lines(events: Iterator[Event | None]) -> Iterator[str]:
    yield f"retry: {RETRY_MS}\n\n"
    for event in events:
        yield ": heartbeat\n\n" if event is None else _event_lines(event)


def _event_lines(event: Event) -> str:
    identity = "" if event.id is None else f"id: {event.id}\n"
    return f"{identity}event: {event.type}\ndata: {event.data}\n\n"
