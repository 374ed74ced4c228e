"""The pages that show jobs, their faces and the workers."""

import secrets
from dataclasses import dataclass
from http import HTTPStatus

from flask import Blueprint, g, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from dashboard.contact_sheet import find, find_named
from dashboard.headers import OF_A_REPORT
from dashboard.job_parts import REPORT_PAGE, SHEET, parts_of
from dashboard.typed import as_typed
from jobs.contract import ACTIVE, ArtifactRole, JobStatus, JobView, ShardView
from jobs.errors import ArtifactNotFoundError, JobNotFoundError, ValidationError
from jobs.kinds import KINDS
from jobs.service import JobService

API = "/api/v1"
JOBS_PER_PAGE = 24


@dataclass(frozen=True)
class Thumbnail:
    """A small picture of a job; `shard` tells a preview, which changes, from a collage."""

    url: str
    shard: int | None = None


class Pages:
    """The list of jobs, a job, the workers."""

    def __init__(self, service: JobService) -> None:
        """Show what this service knows."""
        self._service = service

    def add_to(self, pages: Blueprint) -> None:
        """Serve them."""
        pages.add_url_rule("/", "index", self.index)
        pages.add_url_rule("/jobs/<job_id>", "job", self.job)
        pages.add_url_rule("/jobs/<job_id>/report.html", "report", self.report)
        pages.add_url_rule("/jobs/<job_id>/cancel", "cancel", self.cancel, methods=["POST"])
        pages.add_url_rule("/jobs/<job_id>/delete", "delete", self.delete, methods=["POST"])
        pages.add_url_rule("/jobs/<job_id>/retry", "retry", self.retry, methods=["POST"])
        pages.add_url_rule("/jobs/<job_id>/previews/<int:shard>.png", "preview", self.preview)
        pages.add_url_rule("/workers", "workers", self.workers)
        pages.add_url_rule("/favicon.ico", "favicon", self.favicon)

    def index(self) -> str:
        """A page of jobs, newest first."""
        status = _status_filter()
        cursor = request.args.get("cursor")
        page = self._service.list_jobs(JOBS_PER_PAGE, cursor, status)
        return render_template(
            "index.html",
            jobs=page.items,
            thumbnails={job.id: self._thumbnail(job) for job in page.items},
            next_cursor=page.next_cursor,
            is_first_page=cursor is None,
            status=status,
            statuses=list(JobStatus),
            is_active=any(job.status in ACTIVE for job in page.items),
            broker_is_away=not self._service.broker_is_reachable(),
        )

    def job(self, job_id: str) -> str:
        """One job, whole."""
        job = self._service.get_job(job_id)
        shards = self._service.list_shards(job_id)
        artifacts = self._service.list_artifacts(job_id)
        return render_template(
            "job.html",
            job=job,
            shards=shards,
            previews=[shard for shard in shards if _has_preview(shard)],
            relatives=self._service.relatives_of(job_id),
            again={key: as_typed(value) for key, value in job.params.items() if value is not None},
            once=secrets.token_hex(16),
            is_active=not job.status.has_ended,
            broker_is_away=not job.status.has_ended and not self._service.broker_is_reachable(),
            **parts_of(self._service, job, shards, artifacts),
        )

    def report(self, job_id: str) -> Response:
        """The page that a report wrote, where nothing in it can run or reach anything.

        Raises:
            JobNotFoundError: there is no such job.
            ArtifactNotFoundError: it has written none.
        """
        artifacts = self._service.list_artifacts(job_id)
        page = find_named(artifacts, REPORT_PAGE)
        if page is None:
            raise ArtifactNotFoundError(f"job {job_id} has written no report", job_id=job_id)
        response = make_response(self._service.read_artifact(page.id))
        response.headers["Content-Security-Policy"] = OF_A_REPORT
        return response

    def cancel(self, job_id: str) -> Response:
        """Cancel, and show the job."""
        self._service.cancel(job_id)
        return redirect(url_for(".job", job_id=job_id), HTTPStatus.SEE_OTHER)

    def delete(self, job_id: str) -> Response:
        """Delete, and show the jobs that are left."""
        self._service.delete_job(job_id)
        return redirect(url_for(".index"), HTTPStatus.SEE_OTHER)

    def retry(self, job_id: str) -> Response:
        """Make the job anew, once for each page that was sent, and show the new one."""
        once = request.form.get("once", "")
        key = f"form-{once}" if once.isalnum() else None
        submission = self._service.retry(job_id, g.submitter, key)
        return redirect(url_for(".job", job_id=submission.job.id), HTTPStatus.SEE_OTHER)

    def preview(self, job_id: str, shard: int) -> Response:
        """The newest preview of a shard; pages put its version into the query string."""
        preview = self._service.preview(job_id, shard)
        response = make_response(preview.png)
        response.mimetype = "image/png"
        response.set_etag(preview.version)
        response.cache_control.no_cache = True
        return response.make_conditional(request)

    def workers(self) -> str:
        """The workers that are online."""
        return render_template(
            "workers.html",
            workers=self._service.list_workers(),
            all_kinds=frozenset(KINDS),
            is_active=True,
            broker_is_away=not self._service.broker_is_reachable(),
        )

    def favicon(self) -> Response:
        """Where browsers look for an icon when they show a bare picture."""
        return redirect(url_for(".static", filename="favicon.svg"))

    def _thumbnail(self, job: JobView) -> Thumbnail | None:
        try:
            return self._thumbnail_of(job)
        except JobNotFoundError:  # deleted since it was listed
            return None

    def _thumbnail_of(self, job: JobView) -> Thumbnail | None:
        if job.status is JobStatus.SUCCEEDED:
            artifacts = self._service.list_artifacts(job.id)
            shown = find(artifacts, ArtifactRole.COLLAGE) or find_named(artifacts, SHEET)
            return Thumbnail(f"{API}/artifacts/{shown.id}") if shown else None
        if job.status is not JobStatus.RUNNING:
            return None
        for shard in self._service.list_shards(job.id):
            if _has_preview(shard):
                url = url_for(
                    ".preview", job_id=job.id, shard=shard.index, version=shard.preview_version
                )
                return Thumbnail(url, shard.index)
        return None


def _has_preview(shard: ShardView) -> bool:
    return shard.status is JobStatus.RUNNING and shard.preview_version > 0


def _status_filter() -> JobStatus | None:
    wanted = request.args.get("status")
    if not wanted:
        return None
    if wanted not in list(JobStatus):
        allowed = ", ".join(JobStatus)
        raise ValidationError(
            f"status must be one of {allowed}, not {wanted!r}",
            field="status",
            value=wanted,
            allowed=allowed,
        )
    return JobStatus(wanted)
