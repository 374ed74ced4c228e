"""Follow a job until it ends: by its events, and by asking anew where they may have gaps."""

import json
import time
from collections.abc import Iterator
from typing import NamedTuple

from pydantic import ValidationError

from darkroom.client import Client
from darkroom.server_error import ServerError
from jobs.contract import JobUpdate, JobView

REFETCH_SECONDS = 30.0  # updates are only speed: the job itself is asked for this often
POLL_SECONDS = 1.0  # while there is no event stream
PATIENCE_SECONDS = 60.0  # a server that is silent for so long is given up


class Event(NamedTuple):
    """One event of an SSE stream; a comment has the type `comment`."""

    type: str
    data: str
    id: str | None


def follow(client: Client, job_id: str) -> Iterator[JobView]:
    """The job whenever something has changed, last as it ended.

    Raises:
        ServerError: there is no such job, or no answer for a minute.
    """
    follower = _Follower(client, job_id)
    heard_at = time.monotonic()
    while True:
        try:
            yield (view := follower.fetch())
            heard_at = time.monotonic()
            if view.status.has_ended:
                return
            for view in follower.updates():
                yield view
                heard_at = time.monotonic()
                if view.status.has_ended:
                    return
        except ServerError as error:
            is_final = 400 <= error.status < 500  # noqa: PLR2004  (HTTP's client errors)
            if is_final or time.monotonic() - heard_at > PATIENCE_SECONDS:
                raise
        time.sleep(POLL_SECONDS)


def parse_events(lines: Iterator[str]) -> Iterator[Event]:
    """Events of an SSE stream, from its lines."""
    kind, data, event_id = "message", [], None
    for line in lines:
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if line and not field:
            yield Event("comment", value, event_id)
        elif field == "event":
            kind = value
        elif field == "data":
            data.append(value)
        elif field == "id":
            event_id = value
        elif not line and data:
            yield Event(kind, "\n".join(data), event_id)
            kind, data = "message", []


class _Follower:
    """What is known of a job between two connections."""

    def __init__(self, client: Client, job_id: str) -> None:
        self._client = client
        self._job_id = job_id
        self._last_event_id: str | None = None
        self._view: JobView | None = None
        self._fetched_at = 0.0

    def fetch(self) -> JobView:
        self._view = self._client.get_job(self._job_id)
        self._fetched_at = time.monotonic()
        return self._view

    def updates(self) -> Iterator[JobView]:
        """The job after each event, until the stream breaks."""
        lines = self._client.event_lines(self._job_id, self._last_event_id)
        for event in parse_events(lines):
            self._last_event_id = event.id or self._last_event_id
            is_old = time.monotonic() - self._fetched_at > REFETCH_SECONDS
            if event.type == "reset" or is_old:
                yield self.fetch()
            elif event.type == "update":
                yield from self._apply(event.data)

    def _apply(self, data: str) -> Iterator[JobView]:
        try:
            update = JobUpdate.model_validate(json.loads(data))
        except (ValidationError, ValueError):  # from a newer server
            yield self.fetch()
            return
        view = self._view
        if view is None or update.status_seq <= view.status_seq:
            return
        if update.status is not view.status:
            yield self.fetch()
            return
        # The unit stays: an older dispatcher does not tell it.
        progress = update.progress.model_copy(update={"unit": view.progress.unit})
        changes = {"status_seq": update.status_seq, "progress": progress}
        self._view = view.model_copy(update=changes)
        yield self._view
