"""Uploaded pictures: faces to merge, and masks."""

from flask import Response, request
from werkzeug.exceptions import UnsupportedMediaType

from api.links import linked_upload
from api.responses import IMMUTABLE, UploadList, json_response, not_modified
from api.routing import Route
from api.uploads import (
    MULTIPART,
    PICTURE,
    PNG,
    UploadFields,
    form_name,
    multipart_schema,
    picture_body,
)
from jobs import errors
from jobs.contract import Deleted, UploadView
from jobs.service import JobService


class UploadRoutes:
    """What can be done with uploaded pictures."""

    def __init__(self, service: JobService, max_upload_bytes: int) -> None:
        """Take files of at most `max_upload_bytes`."""
        self._service = service
        self._max_upload_bytes = max_upload_bytes

    @Route(
        "POST",
        "/uploads",
        "Upload a face or a mask: a gray PNG of 48×48 pixels. "
        "Its pixels are kept, and nothing else of it",
        UploadView,
        status=201,
        query=UploadFields,
        body={MULTIPART: multipart_schema("file"), PNG: PICTURE},
        response_headers={"Location": "The upload."},
        errors=(
            errors.ValidationError,
            errors.UploadRejectedError,
            errors.UploadTooLargeError,
            errors.ArtifactStoreError,
            UnsupportedMediaType,
        ),
    )
    def import_upload(self) -> Response:
        """Check an uploaded picture and keep it; of a rejected one nothing is kept."""
        content = picture_body(self._max_upload_bytes)
        upload = linked_upload(self._service.import_upload(content, form_name("file") or "picture"))
        response = json_response(upload, 201)
        response.headers["Location"] = upload.links["self"]
        return response

    @Route(
        "DELETE",
        "/uploads/<upload_id>",
        "Delete an uploaded picture. 409 while a job names it",
        Deleted,
        errors=(errors.UploadNotFoundError, errors.ReferencedError),
    )
    def delete_upload(self, upload_id: str) -> Response:
        """It is gone for good."""
        return json_response(self._service.delete_upload(upload_id))

    @Route("GET", "/uploads", "List uploaded pictures, newest first", UploadList)
    def list_uploads(self) -> Response:
        """All pictures that jobs can name."""
        uploads = self._service.list_uploads()
        return json_response(UploadList(items=[linked_upload(each) for each in uploads]))

    @Route(
        "GET",
        "/uploads/<upload_id>",
        "Look at what is known of an uploaded picture",
        UploadView,
        errors=(errors.UploadNotFoundError,),
    )
    def get_upload(self, upload_id: str) -> Response:
        """An upload, without its pixels."""
        return json_response(linked_upload(self._service.get_upload(upload_id)))

    @Route(
        "GET",
        "/uploads/<upload_id>/file",
        "Get an uploaded picture as it is kept",
        PNG,
        response_headers={"ETag": "Strong: the file's SHA-256."},
        errors=(
            errors.UploadNotFoundError,
            errors.ArtifactFileNotFoundError,
            errors.ArtifactStoreError,
        ),
    )
    def get_upload_file(self, upload_id: str) -> Response:
        """Its bytes; they never change."""
        upload = self._service.get_upload(upload_id)
        if upload.sha256 in request.if_none_match:
            return not_modified(upload.sha256)
        response = Response(self._service.read_upload(upload_id), mimetype=PNG)
        response.set_etag(upload.sha256)
        response.headers["Cache-Control"] = IMMUTABLE
        return response
