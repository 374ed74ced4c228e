"""The page of the queue, and what people decide about it, its jobs and its workers."""

from http import HTTPStatus

from flask import Blueprint, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from jobs.errors import ValidationError
from jobs.kinds import KINDS
from jobs.pauses import ALL
from jobs.requests import JobChange, PauseRequest
from jobs.service import JobService


class QueuePages:
    """Pauses, priorities, drains."""

    def __init__(self, service: JobService) -> None:
        """Act through the service."""
        self._service = service

    def add_to(self, pages: Blueprint) -> None:
        """Serve them."""
        pages.add_url_rule("/queue", "queue", self.queue)
        pages.add_url_rule("/queue/pause", "pause", self.pause, methods=["POST"])
        pages.add_url_rule("/queue/resume", "resume", self.resume, methods=["POST"])
        pages.add_url_rule("/jobs/<job_id>/priority", "priority", self.priority, methods=["POST"])
        pages.add_url_rule("/workers/<worker_id>/drain", "drain", self.drain, methods=["POST"])

    def queue(self) -> str:
        """Pauses, device time used of late, speeds, and how estimates came true."""
        return render_template(
            "queue.html",
            queue=self._service.queue(),
            scopes=[ALL, *KINDS],
            is_active=True,
            broker_is_away=not self._service.broker_is_reachable(),
        )

    def pause(self) -> Response:
        """Pause a kind or all, and show the queue."""
        given = PauseRequest(reason=_required("reason", 200))
        self._service.pause_queue(request.form.get("scope", ALL), given.reason, g.submitter)
        return redirect(url_for(".queue"), HTTPStatus.SEE_OTHER)

    def resume(self) -> Response:
        """End a pause, and show the queue."""
        self._service.resume_queue(request.form.get("scope", ALL))
        return redirect(url_for(".queue"), HTTPStatus.SEE_OTHER)

    def priority(self, job_id: str) -> Response:
        """Give a job another priority, and show it."""
        self._service.change_job(job_id, JobChange(priority=_priority()))
        return redirect(url_for(".job", job_id=job_id), HTTPStatus.SEE_OTHER)

    def drain(self, worker_id: str) -> Response:
        """Drain a worker, or undo that, and show the workers."""
        if request.form.get("undo"):
            self._service.undrain_worker(worker_id)
        else:
            self._service.drain_worker(worker_id, g.submitter)
        return redirect(url_for(".workers"), HTTPStatus.SEE_OTHER)


def _required(name: str, most: int) -> str:
    value = request.form.get(name, "").replace("\0", "").strip()
    if not 0 < len(value) <= most:
        allowed = f"a text of 1 to {most} characters"
        raise ValidationError(
            f"{name} must be {allowed}, not one of {len(value)}",
            field=name,
            value=value,
            allowed=allowed,
        )
    return value


def _priority() -> int:
    value = request.form.get("priority", "").strip()
    least, most = -100, 100
    if not value.removeprefix("-").isdecimal() or not least <= int(value) <= most:
        allowed = f"an integer from {least} to {most}"
        raise ValidationError(
            f"priority must be {allowed}, not {value!r}",
            field="priority",
            value=value,
            allowed=allowed,
        )
    return int(value)
