"""Everything that a job made as a zip that is written while it is sent."""

import io
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from api.links import linked_job
from formats.faces import FACE_SIZE
from jobs.contract import ArtifactRole, JobView
from jobs.errors import ArtifactNotFoundError
from jobs.provenance import image_png
from jobs.service import JobService

LEAST_DIGITS = 3  # of an image's name: 000.png


class _Outbox(io.RawIOBase):
    """Holds what was written until it is taken."""

    def __init__(self) -> None:
        super().__init__()
        self._chunks: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: bytes, /) -> int:  # type: ignore[override]  # zipfile writes bytes only
        self._chunks.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        taken = b"".join(self._chunks)
        self._chunks.clear()
        return taken


@dataclass(frozen=True)
class Archive:
    """A finished job and its files."""

    job: JobView
    files: dict[str, bytes]
    images: npt.NDArray[np.uint8]  # (N, 48, 48), N 0 of a job that made none
    checkpoints: Mapping[str, str]  # SHA-256 of what made the images, by field

    def stream(self) -> Iterator[bytes]:
        """The zip, member by member; PNG are made one at a time."""
        outbox = _Outbox()
        with zipfile.ZipFile(outbox, "w") as archive:
            for name, content in self._members():
                archive.writestr(self._entry(name), content)
                yield outbox.take()
        yield outbox.take()

    def _members(self) -> Iterator[tuple[str, bytes]]:
        yield "job.json", linked_job(self.job).model_dump_json(indent=2).encode() + b"\n"
        yield from self.files.items()
        digits = max(LEAST_DIGITS, len(str(len(self.images) - 1)))
        made_by = (self.job.id, self.job.kind, self.job.params, self.checkpoints)
        for index, image in enumerate(self.images):
            yield f"images/{index:0{digits}}.png", image_png(image, *made_by, index)

    def _entry(self, name: str) -> zipfile.ZipInfo:
        finished_at = (self.job.finished_at or datetime.now(UTC)).astimezone(UTC)
        entry = zipfile.ZipInfo(f"job-{self.job.id}/{name}", finished_at.timetuple()[:6])
        is_compressed = name.endswith(".png")
        entry.compress_type = zipfile.ZIP_STORED if is_compressed else zipfile.ZIP_DEFLATED
        entry.external_attr = 0o644 << 16
        return entry


def read_archive(service: JobService, job_id: str) -> Archive:
    """The job and the files of its whole.

    Raises:
        JobNotFoundError: there is no such job.
        ArtifactNotFoundError: it has nothing yet.
        ArtifactStoreError: the store does not answer.
    """
    job = service.get_job(job_id)
    whole = [each for each in service.list_artifacts(job_id) if each.shard is None]
    files = {each.name: service.read_artifact(each.id) for each in whole}
    if not files:
        raise ArtifactNotFoundError(
            f"job {job_id} is {job.status}: it has nothing to download before it has succeeded",
            job_id=job_id,
            status=job.status,
        )
    images, checkpoints = np.zeros((0, FACE_SIZE, FACE_SIZE), np.uint8), {}
    for artifact in whole:
        if artifact.role is ArtifactRole.IMAGES:
            images = np.load(io.BytesIO(files[artifact.name]), allow_pickle=False)
            checkpoints = artifact.checkpoints
    return Archive(job, files, images, checkpoints)
