"""The datasets that jobs can name: uploaded ones, and the synthetic one that is rendered."""

import hashlib
import io
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from formats.errors import ConstantFacesError, FormatError, TooFewFacesError
from formats.faces import (
    FACE_SIZE,
    OLDEST_AGE,
    Ages,
    Faces,
    check_equal_length,
    load_ages,
    load_faces,
    to_unit_range,
    valid_ages,
)
from formats.pictures import collage, encode_png
from jobs import store
from jobs.artifacts import ArtifactStore
from jobs.contract import DatasetView
from jobs.database import Database
from jobs.errors import DatasetNotFoundError, DatasetRejectedError
from jobs.import_turns import import_turn
from jobs.requests import SYNTHETIC
from jobs.tables import Dataset
from jobs.views import dataset_view
from synthetic import synthetic_faces

MIN_FACES = 2  # one face has no distribution
ALLOWED_FACES = (
    f".npy or .npy.gz of gray faces, uint8 (N, {FACE_SIZE}, {FACE_SIZE}), N at least {MIN_FACES}"
)
ALLOWED_AGES = (
    f".npy or .npy.gz of one age per face, numbers (N,): below 0 where it is missing, {OLDEST_AGE} "
    "at most"
)
SHEET_FACES = 100
DECADE = 10
DESCRIBED_FACES = 2000  # of the synthetic dataset, which has no end


class DatasetShelf:
    """Keeps datasets; a part of the job service."""

    _database: Database
    _artifacts: ArtifactStore

    @import_turn()
    def import_dataset(self, faces: Path, ages: Path | None, name: str) -> DatasetView:
        """Check faces and ages (`.npy` or `.npy.gz`), and keep them.

        Raises:
            DatasetRejectedError: they are none, or do not belong together; `details` has `field`
                (faces or ages), `value`, `allowed` and `reason`, the code of what is wrong.
            ImportsBusyError: as many imports go on as may at a time.
            ArtifactStoreError: the store does not take them.
        """
        face_array = _load_faces(faces)
        age_array = None if ages is None else _load_ages(ages, face_array)
        return self._keep_dataset(face_array, age_array, name)

    def _keep_dataset(self, faces: Faces, ages: Ages | None, name: str) -> DatasetView:
        face_bytes = _npy(faces)
        age_bytes = b"" if ages is None else _npy(ages)
        digest = hashlib.sha256(face_bytes)
        digest.update(age_bytes)
        sha256 = digest.hexdigest()
        folder = f"datasets/{sha256}"
        files = {"contact-sheet.png": _contact_sheet(faces, ages), "faces.npy": face_bytes}
        if ages is not None:
            files["ages.npy"] = age_bytes
        self._write_files(folder, files)
        figures = _figures(faces, ages)  # takes seconds, for which nobody else could write
        with self._database.write() as session:
            if not self._artifacts.exists(f"{folder}/faces.npy"):
                self._write_files(folder, files)  # swept meanwhile, while no row named them
            row = store.find_dataset(session, sha256[:16])
            if row is None:
                row = Dataset(
                    id=sha256[:16],
                    name=name,
                    sha256=sha256,
                    faces_path=f"{folder}/faces.npy",
                    faces_sha256=hashlib.sha256(face_bytes).hexdigest(),
                    ages_path=None if ages is None else f"{folder}/ages.npy",
                    ages_sha256=None if ages is None else hashlib.sha256(age_bytes).hexdigest(),
                    count=len(faces),
                    size_bytes=len(face_bytes) + len(age_bytes),
                    figures=figures,
                    created_at=datetime.now(UTC),
                )
                session.add(row)
                session.flush()
            return dataset_view(row)

    def _write_files(self, folder: str, files: Mapping[str, bytes]) -> None:
        for name, content in files.items():
            self._artifacts.write_bytes(f"{folder}/{name}", content)

    def list_datasets(self) -> list[DatasetView]:
        """All datasets, the synthetic one first, then the newest."""
        with self._database.read() as session:
            kept = [dataset_view(row) for row in store.all_datasets(session)]
        return [_synthetic_view(), *kept]

    def get_dataset(self, dataset_id: str) -> DatasetView:
        """The dataset of this id.

        Raises:
            DatasetNotFoundError: there is none.
        """
        if dataset_id == SYNTHETIC:
            return _synthetic_view()
        with self._database.read() as session:
            row = store.find_dataset(session, dataset_id)
            if row is None:
                raise DatasetNotFoundError(
                    f"there is no dataset {dataset_id!r}", dataset_id=dataset_id
                )
            return dataset_view(row)

    def contact_sheet(self, dataset_id: str) -> bytes:
        """A PNG of a hundred faces spread over the dataset, by age where ages are known.

        Raises:
            DatasetNotFoundError: there is no such dataset.
            ArtifactStoreError: the store does not answer.
        """
        view = self.get_dataset(dataset_id)
        if view.sha256 is None:
            return _synthetic_sheet()
        return self._artifacts.read_bytes(f"datasets/{view.sha256}/contact-sheet.png")


def _load_faces(path: Path) -> Faces:
    try:
        faces = load_faces(path)
    except FormatError as error:
        raise _rejected("faces", error) from error
    if len(faces) < MIN_FACES:
        raise _rejected(
            "faces",
            TooFewFacesError(
                f"a dataset must hold at least {MIN_FACES} faces, not {len(faces)}", f"{len(faces)}"
            ),
        )
    flat = faces.reshape(len(faces), -1)
    constant = np.flatnonzero(flat.min(axis=1) == flat.max(axis=1))
    if constant.size:
        message = (
            f"{constant.size} of {len(faces)} faces are of one gray level throughout, the first is "
            f"face {constant[0]}; leave them out: `faces = faces[np.ptp(faces, axis=(1, 2)) > 0]`"
        )
        raise _rejected("faces", ConstantFacesError(message, f"face {constant[0]}"))
    return faces


def _load_ages(path: Path, faces: Faces) -> Ages:
    try:
        ages = load_ages(path)
        check_equal_length(faces, ages)
    except FormatError as error:
        raise _rejected("ages", error) from error
    return ages


def _rejected(field: str, error: FormatError) -> DatasetRejectedError:
    return DatasetRejectedError(
        f"{field}: {error}",
        field=field,
        value=error.value,
        allowed=ALLOWED_FACES if field == "faces" else ALLOWED_AGES,
        reason=error.code,
    )


def _npy(array: npt.NDArray[Any]) -> bytes:
    content = io.BytesIO()
    np.save(content, array, allow_pickle=False)
    return content.getvalue()


def _figures(faces: Faces, ages: Ages | None) -> dict[str, Any]:
    brightness = np.array([to_unit_range(face).mean() for face in faces])
    squares = np.array([np.square(to_unit_range(face)).mean() for face in faces])
    mean = float(brightness.mean())
    known = np.zeros(0) if ages is None else ages[valid_ages(ages)]
    decades = np.minimum(known // DECADE, OLDEST_AGE // DECADE - 1).astype(int)
    histogram = np.bincount(decades, minlength=OLDEST_AGE // DECADE).tolist()
    return {
        "aged_count": len(known),
        "missing_ages": 0 if ages is None else int((ages < 0).sum()),
        "wrong_ages": 0 if ages is None else int((ages > OLDEST_AGE).sum()),
        "pixel_mean": mean,
        "pixel_deviation": float(np.sqrt(squares.mean() - mean**2)),
        "brightness_deviation": float(brightness.std()),
        "age_histogram": histogram if len(known) else [],
    }


def _contact_sheet(faces: Faces, ages: Ages | None) -> bytes:
    order = np.arange(len(faces))
    if ages is not None:
        known = np.flatnonzero(valid_ages(ages))
        order = known[np.argsort(ages[known], kind="stable")] if known.size else order
    count = min(SHEET_FACES, len(order))
    chosen = order[np.linspace(0, len(order) - 1, count).round().astype(int)]
    return encode_png(collage(faces[chosen], min(10, count)))


@cache
def _synthetic_view() -> DatasetView:
    faces, ages = synthetic_faces(DESCRIBED_FACES, seed=1)
    endless = {"aged_count": None}
    return DatasetView(
        id=SYNTHETIC,
        name="Synthetic faces, rendered",
        sha256=None,
        count=None,
        size_bytes=0,
        created_at=None,
        **(_figures(faces, ages) | endless),
    )


@cache
def _synthetic_sheet() -> bytes:
    return _contact_sheet(*synthetic_faces(SHEET_FACES, seed=1))
