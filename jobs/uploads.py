"""The pictures that people upload: faces to merge, and masks."""

import hashlib
from datetime import UTC, datetime

from formats.errors import FormatError
from formats.face_picture import ALLOWED_PICTURE, load_face_picture
from formats.pictures import encode_png
from jobs import store
from jobs.artifacts import ArtifactStore
from jobs.contract import UploadView
from jobs.database import Database
from jobs.errors import UploadNotFoundError, UploadRejectedError
from jobs.tables import Upload
from jobs.views import upload_view


class UploadShelf:
    """Keeps uploaded pictures; a part of the job service."""

    _database: Database
    _artifacts: ArtifactStore

    def import_upload(self, content: bytes, name: str) -> UploadView:
        """Check a gray PNG of a face's size and keep its pixels, and nothing else of it.

        Raises:
            UploadRejectedError: it is none; `details` has `field`, `value`, `allowed` and
                `reason`, the code of what is wrong.
            ArtifactStoreError: the store does not take it.
        """
        try:
            picture = load_face_picture(content)
        except FormatError as error:
            raise UploadRejectedError(
                f"file: {error}",
                field="file",
                value=error.value,
                allowed=ALLOWED_PICTURE,
                reason=error.code,
            ) from error
        kept = encode_png(picture)
        sha256 = hashlib.sha256(kept).hexdigest()
        path = f"uploads/{sha256}.png"
        self._artifacts.write_bytes(path, kept)
        with self._database.write() as session:
            if not self._artifacts.exists(path):  # swept meanwhile, while no row named it
                self._artifacts.write_bytes(path, kept)
            row = store.find_upload(session, sha256[:16])
            if row is None:
                row = Upload(
                    id=sha256[:16],
                    name=name,
                    sha256=sha256,
                    path=path,
                    width=picture.shape[1],
                    height=picture.shape[0],
                    size_bytes=len(kept),
                    created_at=datetime.now(UTC),
                )
                session.add(row)
                session.flush()
            return upload_view(row)

    def list_uploads(self) -> list[UploadView]:
        """All uploaded pictures, newest first."""
        with self._database.read() as session:
            return [upload_view(row) for row in store.all_uploads(session)]

    def get_upload(self, upload_id: str) -> UploadView:
        """The uploaded picture of this id.

        Raises:
            UploadNotFoundError: there is none.
        """
        with self._database.read() as session:
            row = store.find_upload(session, upload_id)
            if row is None:
                raise UploadNotFoundError(
                    f"there is no upload {upload_id!r}; GET /api/v1/uploads lists them",
                    upload_id=upload_id,
                )
            return upload_view(row)

    def read_upload(self, upload_id: str) -> bytes:
        """The picture, as PNG.

        Raises:
            UploadNotFoundError: there is none.
            ArtifactStoreError: the store does not answer.
        """
        sha256 = self.get_upload(upload_id).sha256
        return self._artifacts.read_bytes(f"uploads/{sha256}.png")
