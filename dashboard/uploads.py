"""The pages that take files in: checkpoints, datasets and pictures."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Response

from dashboard.charts import age_histogram
from dashboard.filters import file_size
from dashboard.forms.reading import FormError
from jobs.errors import CheckpointRejectedError, DatasetRejectedError, UploadRejectedError
from jobs.kinds.references import NETWORK_WORDS
from jobs.library import BUNDLED_IDS
from jobs.service import JobService

Answer = str | Response | tuple[str, HTTPStatus]
LONGEST_NAME = 200
MULTIPART_OVERHEAD = 2**16  # bytes around the files: boundaries, headers, the name


class UploadPages:
    """Checkpoints and datasets: what there is, and a form that adds to it."""

    def __init__(self, service: JobService, max_upload_bytes: int) -> None:
        """Hand everything to this service; uploads are of at most `max_upload_bytes`."""
        self._service = service
        self._max_upload_bytes = max_upload_bytes

    def add_to(self, pages: Blueprint) -> None:
        """Serve them."""
        pages.add_url_rule("/checkpoints", "checkpoints", self.checkpoints)
        pages.add_url_rule("/checkpoints", "upload", self.upload, methods=["POST"])
        pages.add_url_rule("/datasets", "datasets", self.datasets)
        pages.add_url_rule("/datasets", "upload_dataset", self.upload_dataset, methods=["POST"])
        pages.add_url_rule("/pictures", "pictures", self.pictures)
        pages.add_url_rule("/pictures", "upload_picture", self.upload_picture, methods=["POST"])
        pages.add_url_rule("/datasets/<dataset_id>", "dataset", self.dataset)

    def checkpoints(self) -> str:
        """The checkpoints, and a form that uploads one."""
        return self._checkpoint_page({}, "")

    def upload(self) -> Answer:
        """Import an uploaded checkpoint, or say beside the field what is wrong with it."""
        return self._take(self._import_checkpoint, self._checkpoint_page, "file")

    def datasets(self) -> str:
        """The datasets, and a form that uploads one."""
        return self._dataset_page({}, "")

    def upload_dataset(self) -> Answer:
        """Import uploaded faces and ages, or say beside the field what is wrong with them."""
        return self._take(self._import_dataset, self._dataset_page, "faces")

    def pictures(self) -> str:
        """The uploaded pictures, and a form that uploads one."""
        return self._picture_page({}, "")

    def upload_picture(self) -> Answer:
        """Import an uploaded picture, or say beside the field what is wrong with it."""
        return self._take(self._import_picture, self._picture_page, "file")

    def dataset(self, dataset_id: str) -> str:
        """One dataset."""
        dataset = self._service.get_dataset(dataset_id)
        return render_template(
            "dataset.html",
            dataset=dataset,
            ages=age_histogram(dataset.age_histogram),
        )

    def _take(
        self,
        import_files: Callable[[], str],
        page: Callable[[Mapping[str, str], str], str],
        main_field: str,
    ) -> Answer:
        request.max_content_length = self._max_upload_bytes + MULTIPART_OVERHEAD
        try:
            return redirect(import_files(), HTTPStatus.SEE_OTHER)
        except RequestEntityTooLarge:
            limit = file_size(self._max_upload_bytes)
            message = f"The upload is over the limit of {limit}."
            return page({main_field: message}, ""), HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        except FormError as error:
            name = request.form.get("name", "")
            return page(error.errors, name), HTTPStatus.UNPROCESSABLE_ENTITY

    def _import_checkpoint(self) -> str:
        with _saved("file") as files:
            if "file" not in files:
                raise FormError({"file": "Choose a file: a .cpt of the course, or .safetensors."})
            try:
                added = self._service.import_checkpoint(files["file"], _name("file"))
            except CheckpointRejectedError as error:
                raise FormError({"file": error.message}) from error
        return url_for(".checkpoints", added=added.id, _anchor=added.id)

    def _import_dataset(self) -> str:
        with _saved("faces", "ages") as files:
            if "faces" not in files:
                raise FormError({"faces": "Choose a file of faces: .npy or .npy.gz."})
            try:
                added = self._service.import_dataset(
                    files["faces"], files.get("ages"), _name("faces")
                )
            except DatasetRejectedError as error:
                message = error.message.partition(": ")[2]
                raise FormError({error.details["field"]: message}) from error
        return url_for(".dataset", dataset_id=added.id)

    def _import_picture(self) -> str:
        with _saved("file") as files:
            if "file" not in files:
                raise FormError({"file": "Choose a file: a gray PNG of 48×48 pixels."})
            try:
                added = self._service.import_upload(files["file"].read_bytes(), _name("file"))
            except UploadRejectedError as error:
                raise FormError({"file": error.message.removeprefix("file: ")}) from error
        return url_for(".pictures", added=added.id, _anchor=added.id)

    def _checkpoint_page(self, errors: Mapping[str, str], name: str) -> str:
        return render_template(
            "checkpoints.html",
            checkpoints=self._service.list_checkpoints(),
            errors=errors,
            name=name,
            added=request.args.get("added", ""),
            words=NETWORK_WORDS,
            bundled=BUNDLED_IDS,
        )

    def _picture_page(self, errors: Mapping[str, str], name: str) -> str:
        return render_template(
            "pictures.html",
            uploads=self._service.list_uploads(),
            errors=errors,
            name=name,
            added=request.args.get("added", ""),
        )

    def _dataset_page(self, errors: Mapping[str, str], name: str) -> str:
        datasets = self._service.list_datasets()
        return render_template(
            "datasets.html",
            datasets=datasets,
            histograms={each.id: age_histogram(each.age_histogram) for each in datasets},
            errors=errors,
            name=name,
            limit=self._max_upload_bytes,
        )


@contextmanager
def _saved(*fields: str) -> Iterator[dict[str, Path]]:
    """The files of the form that were chosen, on disk until this context ends."""
    with tempfile.TemporaryDirectory(prefix="darkroom-upload-") as folder:
        paths = {}
        for field in fields:
            upload = request.files.get(field)
            if upload is not None and upload.filename:
                paths[field] = Path(folder) / field
                upload.save(paths[field])
        yield paths


def _name(field: str) -> str:
    """The name that was typed, else that of this file."""
    name = request.form.get("name", "").replace("\0", "").strip()
    if len(name) > LONGEST_NAME:
        raise FormError(
            {"name": f"The name must be at most {LONGEST_NAME} characters, not {len(name)}."}
        )
    upload = request.files.get(field)
    file = "" if upload is None else (upload.filename or "").replace("\0", "")
    return name or Path(file.removesuffix(".gz")).stem[:LONGEST_NAME] or field
