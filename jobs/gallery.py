"""What jobs made: artifacts, single images, previews."""

import io
from dataclasses import dataclass

import numpy as np
from sqlalchemy.orm import Session

from jobs import store
from jobs.artifacts import ArtifactStore
from jobs.contract import ArtifactRole, ArtifactView, Curves, CurvesView, JobStatus
from jobs.database import Database
from jobs.errors import ArtifactNotFoundError, JobNotFoundError, PreviewNotFoundError
from jobs.provenance import image_png
from jobs.streams import WebStreams
from jobs.tables import Artifact, Job, Shard
from jobs.views import artifact_view


@dataclass(frozen=True)
class Preview:
    """A PNG sheet of what a shard's images look like now, and its version."""

    png: bytes
    version: str


class Gallery:
    """Reads what jobs made; a part of the job service."""

    _database: Database
    _artifacts: ArtifactStore
    _streams: WebStreams

    def list_artifacts(self, job_id: str) -> list[ArtifactView]:
        """What a job made: the whole's artifacts first, then the shards' pieces.

        Raises:
            JobNotFoundError: there is no such job.
        """
        with self._database.read() as session:
            require_job(session, job_id)
            rows = store.artifacts_of(session, job_id)
            return [artifact_view(artifact, shard) for artifact, shard in rows]

    def get_artifact(self, artifact_id: str) -> ArtifactView:
        """The artifact of this id.

        Raises:
            ArtifactNotFoundError: there is none.
        """
        with self._database.read() as session:
            return artifact_view(*_require_artifact(session, artifact_id))

    def read_artifact(self, artifact_id: str) -> bytes:
        """The bytes of an artifact.

        Raises:
            ArtifactNotFoundError: there is none.
            ArtifactStoreError: the store does not answer.
        """
        with self._database.read() as session:
            path = _require_artifact(session, artifact_id)[0].path
        return self._artifacts.read_bytes(path)

    def image_png(self, artifact_id: str, index: int) -> bytes:
        """One image of an `images` artifact as a PNG that says where it comes from.

        Raises:
            ArtifactNotFoundError: no such artifact, or no such image in it.
            ArtifactStoreError: the store does not answer.
        """
        with self._database.read() as session:
            artifact, shard = _require_artifact(session, artifact_id)
            job = require_job(session, artifact.job_id)
            index_in_job = shard.first_image + index
            checkpoints = artifact.checkpoints or {}
        if artifact.role != ArtifactRole.IMAGES or not 0 <= index < artifact.shape[0]:
            held = artifact.shape[0] if artifact.role == ArtifactRole.IMAGES else 0
            raise ArtifactNotFoundError(
                f"artifact {artifact_id} has no image {index}: it holds {held}",
                artifact_id=artifact_id,
                index=index,
            )
        images = np.load(io.BytesIO(self._artifacts.read_bytes(artifact.path)), allow_pickle=False)
        return image_png(images[index], job.id, job.kind, job.params, checkpoints, index_in_job)

    def curves(self, job_id: str) -> CurvesView:
        """The curves of a job that trains, as far as they were reported; none for other kinds.

        Raises:
            JobNotFoundError: there is no such job.
        """
        with self._database.read() as session:
            require_job(session, job_id)
            curves: Curves = {}
            for shard in store.shards_of(session, job_id):
                curves |= shard.curves or {}
        return CurvesView(curves=curves)

    def preview(self, job_id: str, shard: int | None = None) -> Preview:
        """The newest preview of a shard, or of the first running shard that has one.

        Raises:
            JobNotFoundError: there is no such job.
            PreviewNotFoundError: nothing to preview now.
        """
        with self._database.read() as session:
            require_job(session, job_id)
            rows = [
                (row.id, f"{row.index}-{row.attempt}")
                for row in store.shards_of(session, job_id)
                if row.status == JobStatus.RUNNING and shard in (None, row.index)
            ]
        for shard_id, attempt in rows:
            found = self._streams.preview(shard_id)
            if found:
                return Preview(png=found[1], version=f"{attempt}-{found[0]}")
        raise PreviewNotFoundError(f"job {job_id} has no preview now", job_id=job_id)


def require_job(session: Session, job_id: str) -> Job:
    """The job of this id.

    Raises:
        JobNotFoundError: there is none.
    """
    job = store.find_job(session, job_id)
    if job is None:
        raise JobNotFoundError(f"there is no job {job_id!r}", job_id=job_id)
    return job


def _require_artifact(session: Session, artifact_id: str) -> tuple[Artifact, Shard]:
    found = store.find_artifact(session, artifact_id)
    if found is None:
        raise ArtifactNotFoundError(
            f"there is no artifact {artifact_id!r}", artifact_id=artifact_id
        )
    return found
