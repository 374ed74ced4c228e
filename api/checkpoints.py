"""Checkpoints: upload, list, look at."""

import shutil
import tempfile
from pathlib import Path, PurePosixPath

from flask import Response, request
from pydantic import Field
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from api.errors import FieldProblem, InvalidFieldsError
from api.links import linked_checkpoint
from api.parsing import parse_fields, parse_query
from api.responses import CheckpointList, json_response
from api.routing import Route
from jobs import errors
from jobs.contract import CheckpointView, Contract
from jobs.service import JobService

MULTIPART = "multipart/form-data"
OCTETS = "application/octet-stream"
MULTIPART_OVERHEAD = 2**16  # bytes around the file: boundaries, headers, the name
MAX_NAME_CHARACTERS = 200


class UploadFields(Contract):
    """What can be said of an upload."""

    name: str | None = Field(
        None,
        min_length=1,
        max_length=MAX_NAME_CHARACTERS,
        description="A name for people; that of the file if absent.",
    )


class CheckpointRoutes:
    """What can be done with checkpoints."""

    def __init__(self, service: JobService, max_upload_bytes: int) -> None:
        """Take files of at most `max_upload_bytes`."""
        self._service = service
        self._max_upload_bytes = max_upload_bytes

    @Route(
        "POST",
        "/checkpoints",
        "Import a checkpoint, .cpt or .safetensors; nothing in it is executed",
        CheckpointView,
        status=201,
        query=UploadFields,
        body={
            MULTIPART: {
                "type": "object",
                "required": ["file"],
                "properties": {
                    "file": {"type": "string", "contentMediaType": OCTETS},
                    "name": {"type": "string", "maxLength": MAX_NAME_CHARACTERS},
                },
            },
            OCTETS: {"type": "string", "contentMediaType": OCTETS},
        },
        response_headers={"Location": "The checkpoint."},
        errors=(
            errors.ValidationError,
            errors.CheckpointRejectedError,
            errors.UploadTooLargeError,
            errors.ArtifactStoreError,
            UnsupportedMediaType,
        ),
    )
    def import_checkpoint(self) -> Response:
        """Check an uploaded file and keep it; of a rejected one nothing is kept."""
        with tempfile.TemporaryDirectory(prefix="darkroom-upload-") as folder:
            path = Path(folder) / "upload"
            try:
                name = self._receive(path)
            except RequestEntityTooLarge as error:
                raise self._too_large() from error
            if path.stat().st_size > self._max_upload_bytes:
                raise self._too_large()
            checkpoint = linked_checkpoint(self._service.import_checkpoint(path, name))
        response = json_response(checkpoint, 201)
        response.headers["Location"] = checkpoint.links["self"]
        return response

    @Route("GET", "/checkpoints", "List checkpoints", CheckpointList)
    def list_checkpoints(self) -> Response:
        """All checkpoints that jobs can name."""
        checkpoints = self._service.list_checkpoints()
        return json_response(
            CheckpointList(items=[linked_checkpoint(each) for each in checkpoints])
        )

    @Route(
        "GET",
        "/checkpoints/<checkpoint_id>",
        "Look at a checkpoint",
        CheckpointView,
        errors=(errors.CheckpointNotFoundError,),
    )
    def get_checkpoint(self, checkpoint_id: str) -> Response:
        """A checkpoint and its description."""
        return json_response(linked_checkpoint(self._service.get_checkpoint(checkpoint_id)))

    def _receive(self, path: Path) -> str:
        """Write the upload to `path`; gives its name."""
        if request.mimetype == MULTIPART:
            request.max_content_length = self._max_upload_bytes + MULTIPART_OVERHEAD
            return _receive_form(path)
        if request.mimetype == OCTETS:
            request.max_content_length = self._max_upload_bytes
            name = parse_query(UploadFields).name
            with path.open("wb") as file:
                shutil.copyfileobj(request.stream, file)
            return name or "checkpoint"
        raise UnsupportedMediaType(
            f"the Content-Type must be {MULTIPART} or {OCTETS}, not {request.mimetype or 'absent'}"
        )

    def _too_large(self) -> errors.UploadTooLargeError:
        return errors.UploadTooLargeError(
            f"the upload is over the limit of {self._max_upload_bytes} bytes",
            max_upload_bytes=self._max_upload_bytes,
        )


def _receive_form(path: Path) -> str:
    upload = request.files.get("file")
    if upload is None:
        message = "file is missing: it must be a .cpt or .safetensors file"
        raise InvalidFieldsError([FieldProblem(field="file", message=message)])
    fields = request.args.to_dict() | request.form.to_dict()
    name = parse_fields(UploadFields, fields).name
    upload.save(path)
    # A browser on Windows may send a whole path.
    stem = PurePosixPath((upload.filename or "").replace("\\", "/")).stem
    return name or stem[:MAX_NAME_CHARACTERS] or "checkpoint"
