"""Datasets: upload, list, look at."""

from flask import Response, request
from werkzeug.exceptions import UnsupportedMediaType

from api.links import linked_dataset
from api.responses import IMMUTABLE, REVALIDATE, DatasetList, json_response, not_modified
from api.routing import Route
from api.uploads import (
    MULTIPART,
    check_size,
    form_name,
    missing_file,
    multipart_schema,
    require_media_type,
    save_file,
    upload_folder,
)
from jobs import errors
from jobs.contract import DatasetView, Deleted
from jobs.datasets import ALLOWED_FACES
from jobs.service import JobService

PNG = "image/png"


class DatasetRoutes:
    """What can be done with datasets."""

    def __init__(self, service: JobService, max_upload_bytes: int) -> None:
        """Take uploads of at most `max_upload_bytes`."""
        self._service = service
        self._max_upload_bytes = max_upload_bytes

    @Route(
        "POST",
        "/datasets",
        "Import faces, and ages where there are some. "
        "Both are NumPy's .npy, plain or gzipped; nothing in them is executed",
        DatasetView,
        status=201,
        body={MULTIPART: multipart_schema("faces", "ages")},
        response_headers={"Location": "The dataset."},
        errors=(
            errors.ValidationError,
            errors.DatasetRejectedError,
            errors.UploadTooLargeError,
            errors.ImportsBusyError,
            errors.ArtifactStoreError,
            UnsupportedMediaType,
        ),
    )
    def import_dataset(self) -> Response:
        """Check the uploaded arrays and keep them; of rejected ones nothing is kept."""
        require_media_type(MULTIPART)
        with upload_folder(self._max_upload_bytes) as folder:
            faces, ages = folder / "faces", folder / "ages"
            if not save_file("faces", faces):
                raise missing_file("faces", ALLOWED_FACES)
            has_ages = save_file("ages", ages)
            name = form_name("faces") or "faces"
            check_size(folder, self._max_upload_bytes)
            kept = self._service.import_dataset(faces, ages if has_ages else None, name)
        dataset = linked_dataset(kept)
        response = json_response(dataset, 201)
        response.headers["Location"] = dataset.links["self"]
        return response

    @Route(
        "DELETE",
        "/datasets/<dataset_id>",
        "Delete an uploaded dataset. 409 while a job names it",
        Deleted,
        errors=(errors.DatasetNotFoundError, errors.ReferencedError),
    )
    def delete_dataset(self, dataset_id: str) -> Response:
        """It is gone for good."""
        return json_response(self._service.delete_dataset(dataset_id))

    @Route("GET", "/datasets", "List datasets", DatasetList)
    def list_datasets(self) -> Response:
        """All datasets that jobs can name, the synthetic one first."""
        datasets = self._service.list_datasets()
        return json_response(DatasetList(items=[linked_dataset(each) for each in datasets]))

    @Route(
        "GET",
        "/datasets/<dataset_id>",
        "Look at a dataset",
        DatasetView,
        errors=(errors.DatasetNotFoundError,),
    )
    def get_dataset(self, dataset_id: str) -> Response:
        """A dataset and its figures."""
        return json_response(linked_dataset(self._service.get_dataset(dataset_id)))

    @Route(
        "GET",
        "/datasets/<dataset_id>/contact-sheet.png",
        "See a hundred faces of a dataset",
        PNG,
        response_headers={"ETag": "Strong."},
        errors=(
            errors.DatasetNotFoundError,
            errors.ArtifactFileNotFoundError,
            errors.ArtifactStoreError,
        ),
    )
    def get_contact_sheet(self, dataset_id: str) -> Response:
        """Faces spread over the dataset, by age where ages are known."""
        dataset = self._service.get_dataset(dataset_id)
        if dataset.sha256 is None:  # a newer version may render other faces
            response = Response(self._service.contact_sheet(dataset_id), mimetype=PNG)
            response.add_etag()
            response.headers["Cache-Control"] = REVALIDATE
            response.make_conditional(request)
            return response
        if dataset.sha256 in request.if_none_match:
            return not_modified(dataset.sha256)
        response = Response(self._service.contact_sheet(dataset_id), mimetype=PNG)
        response.set_etag(dataset.sha256)
        response.headers["Cache-Control"] = IMMUTABLE
        return response
