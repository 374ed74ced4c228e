"""The pages that take something in: the submit form, and checkpoints."""

import hashlib
import json
import secrets
import tempfile
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path

from flask import Blueprint, g, redirect, render_template, request, url_for
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Response

from dashboard.filters import file_size
from dashboard.forms import (
    PRESETS,
    Form,
    FormError,
    errors_of,
    fields_for,
    parse,
    prefilled,
    typed,
)
from jobs.contract import CheckpointView
from jobs.errors import CheckpointRejectedError, JobError
from jobs.service import JobService

Answer = str | Response | tuple[str, HTTPStatus]
LONGEST_NAME = 200
MULTIPART_OVERHEAD = 2**16  # bytes around the file: boundaries, headers, the name


class SubmissionPages:
    """A new job, and checkpoints."""

    def __init__(self, service: JobService, max_upload_bytes: int) -> None:
        """Hand everything to this service; files are of at most `max_upload_bytes`."""
        self._service = service
        self._max_upload_bytes = max_upload_bytes

    def add_to(self, pages: Blueprint) -> None:
        """Serve them."""
        pages.add_url_rule("/new", "new", self.new)
        pages.add_url_rule("/new", "submit", self.submit, methods=["POST"])
        pages.add_url_rule("/checkpoints", "checkpoints", self.checkpoints)
        pages.add_url_rule("/checkpoints", "upload", self.upload, methods=["POST"])

    def new(self) -> str:
        """The submit form, prefilled by the query string."""
        return self._form_page(prefilled(request.args))

    def submit(self) -> Answer:
        """Submit what was typed and show the job, or show the form again with what is wrong."""
        values = typed(request.form)
        try:
            submission = self._service.submit(parse(values), g.submitter, _once(values))
        except FormError as error:
            form = Form(values, error.errors)
        except JobError as error:
            form = Form(values, errors_of(error))
        else:
            return redirect(url_for(".job", job_id=submission.job.id), HTTPStatus.SEE_OTHER)
        return self._form_page(form), HTTPStatus.UNPROCESSABLE_ENTITY

    def _form_page(self, form: Form) -> str:
        checkpoints = self._service.list_checkpoints()
        return render_template(
            "new.html",
            form=form,
            fields=fields_for(checkpoints, form.values["checkpoint"]),
            presets=PRESETS,
            once=secrets.token_hex(16),
        )

    def checkpoints(self) -> str:
        """The checkpoints, and a form that uploads one."""
        return self._checkpoint_page({}, "")

    def upload(self) -> Answer:
        """Import an uploaded checkpoint, or say beside the field what is wrong with it."""
        request.max_content_length = self._max_upload_bytes + MULTIPART_OVERHEAD
        try:
            added = self._import(request.files.get("file"), request.form.get("name", "").strip())
        except RequestEntityTooLarge:
            limit = file_size(self._max_upload_bytes)
            message = f"The file is over the limit of {limit}."
            status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
            return self._checkpoint_page({"file": message}, ""), status
        except FormError as error:
            page = self._checkpoint_page(error.errors, request.form.get("name", ""))
            return page, HTTPStatus.UNPROCESSABLE_ENTITY
        target = url_for(".checkpoints", added=added.id, _anchor=added.id)
        return redirect(target, HTTPStatus.SEE_OTHER)

    def _import(self, file: FileStorage | None, name: str) -> CheckpointView:
        if file is None or not file.filename:
            raise FormError({"file": "Choose a file: a .cpt of the course, or .safetensors."})
        if len(name) > LONGEST_NAME:
            raise FormError(
                {"name": f"The name must be at most {LONGEST_NAME} characters, not {len(name)}."}
            )
        with tempfile.TemporaryDirectory(prefix="darkroom-upload-") as folder:
            path = Path(folder) / "upload"
            file.save(path)
            stem = Path(file.filename).stem[:LONGEST_NAME]
            try:
                return self._service.import_checkpoint(path, name or stem or "checkpoint")
            except CheckpointRejectedError as error:
                raise FormError({"file": error.message}) from error

    def _checkpoint_page(self, errors: Mapping[str, str], name: str) -> str:
        return render_template(
            "checkpoints.html",
            checkpoints=self._service.list_checkpoints(),
            errors=errors,
            name=name,
            added=request.args.get("added", ""),
        )


def _once(values: Mapping[str, str]) -> str | None:
    """An idempotency key: the same form sent twice is one job, a changed one another."""
    token = request.form.get("once", "")
    if not token:
        return None
    content = json.dumps([token, values], sort_keys=True)
    return "form-" + hashlib.sha256(content.encode()).hexdigest()
