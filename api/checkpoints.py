"""Checkpoints: upload, list, look at."""

import io

from flask import Response, request, send_file
from werkzeug.exceptions import UnsupportedMediaType

from api.links import linked_checkpoint
from api.responses import IMMUTABLE, REVALIDATE, CheckpointList, json_response, not_modified
from api.routing import Route
from api.uploads import (
    BINARY,
    MULTIPART,
    OCTETS,
    UploadFields,
    check_size,
    form_name,
    missing_file,
    multipart_schema,
    require_media_type,
    save_body,
    save_file,
    upload_folder,
)
from jobs import errors
from jobs.contract import CheckpointView, Deleted
from jobs.library import BUNDLED_IDS
from jobs.service import JobService

ALLOWED_FILE = "a .cpt or .safetensors file"


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
        body={MULTIPART: multipart_schema("file"), OCTETS: BINARY},
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
        require_media_type(MULTIPART, OCTETS)
        with upload_folder(self._max_upload_bytes) as folder:
            path = folder / "upload"
            if request.mimetype == OCTETS:
                name = save_body(path)
            elif save_file("file", path):
                name = form_name("file")
            else:
                raise missing_file("file", ALLOWED_FILE)
            check_size(folder, self._max_upload_bytes)
            kept = self._service.import_checkpoint(path, name or "checkpoint")
        checkpoint = linked_checkpoint(kept)
        response = json_response(checkpoint, 201)
        response.headers["Location"] = checkpoint.links["self"]
        return response

    @Route(
        "DELETE",
        "/checkpoints/<checkpoint_id>",
        "Delete an imported checkpoint. 409 while a job names it",
        Deleted,
        errors=(errors.CheckpointNotFoundError, errors.ReferencedError),
    )
    def delete_checkpoint(self, checkpoint_id: str) -> Response:
        """It is gone for good."""
        return json_response(self._service.delete_checkpoint(checkpoint_id))

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

    @Route(
        "GET",
        "/checkpoints/<checkpoint_id>/file",
        "Get a checkpoint as safetensors",
        OCTETS,
        response_headers={"ETag": "Strong: the file's SHA-256."},
        errors=(
            errors.CheckpointNotFoundError,
            errors.ArtifactFileNotFoundError,
            errors.ArtifactStoreError,
        ),
    )
    def get_checkpoint_file(self, checkpoint_id: str) -> Response:
        """Its bytes, or a range of them; a new version may bring other bundled ones."""
        checkpoint = self._service.get_checkpoint(checkpoint_id)
        cache_control = REVALIDATE if checkpoint.id in BUNDLED_IDS else IMMUTABLE
        if checkpoint.sha256 in request.if_none_match:
            return not_modified(checkpoint.sha256, cache_control)
        response = send_file(
            io.BytesIO(self._service.read_checkpoint(checkpoint_id)),
            mimetype=OCTETS,
            as_attachment=True,
            download_name=f"{checkpoint.architecture}-{checkpoint.width}-{checkpoint.id}.safetensors",
            etag=checkpoint.sha256,
            conditional=True,
        )
        response.headers["Cache-Control"] = cache_control
        return response
