"""Deletion: of jobs with all their files, and of what people brought; nothing that is needed goes.

The row goes first, then the files. Whoever is killed in between leaves files that no row names,
which `jobs.sweeping` finds; never a row whose file is gone.
"""

import logging
from collections.abc import Sequence

from sqlalchemy import update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from jobs import references, store
from jobs.artifacts import ArtifactStore
from jobs.contract import Deleted, JobStatus, Reference
from jobs.database import Database
from jobs.errors import (
    ArtifactStoreError,
    CheckpointNotFoundError,
    DatasetNotFoundError,
    JobActiveError,
    ReferencedError,
    UploadNotFoundError,
)
from jobs.gallery import require_job
from jobs.holding import are_files_held
from jobs.library import BUNDLED_IDS
from jobs.tables import Checkpoint, Dataset, Job, Upload

log = logging.getLogger(__name__)


class Deletion:
    """Deletes jobs, checkpoints, datasets and uploads; a part of the job service."""

    _database: Database
    _artifacts: ArtifactStore

    def delete_job(self, job_id: str) -> Deleted:
        """Delete a job that has ended, its artifacts, and the checkpoints that it trained.

        Raises:
            JobNotFoundError: there is none.
            JobActiveError: it has not ended.
            ReferencedError: a job came after it, or names a checkpoint that it trained.
        """
        return delete_job(self._database, self._artifacts, job_id)

    def delete_checkpoint(self, checkpoint_id: str) -> Deleted:
        """Delete an imported checkpoint.

        Raises:
            CheckpointNotFoundError: there is none.
            ReferencedError: a job names it or has made it, or it comes with Darkroom.
        """
        with self._database.write() as session:
            row = store.find_checkpoint(session, checkpoint_id)
            if row is None:
                raise CheckpointNotFoundError(
                    f"there is no checkpoint {checkpoint_id!r}", checkpoint_id=checkpoint_id
                )
            needed = references.jobs_naming(session, row.id)
            if row.job_id is not None:
                maker = require_job(session, row.job_id)
                needed.insert(0, Reference(type="job", id=maker.id, kind=maker.kind))
            if row.id in BUNDLED_IDS:
                needed.insert(0, Reference(type="darkroom", id=row.id))
            path = self._drop(session, row, "checkpoint", needed)
        return self._deleted("checkpoint", checkpoint_id, path)

    def delete_dataset(self, dataset_id: str) -> Deleted:
        """Delete an uploaded dataset.

        Raises:
            DatasetNotFoundError: there is none; `synthetic` is not kept.
            ReferencedError: a job names it.
        """
        with self._database.write() as session:
            row = store.find_dataset(session, dataset_id)
            if row is None:
                raise DatasetNotFoundError(
                    f"there is no uploaded dataset {dataset_id!r}", dataset_id=dataset_id
                )
            needed = references.jobs_naming(session, row.id)
            path = self._drop(session, row, "dataset", needed)
        return self._deleted("dataset", dataset_id, path)

    def delete_upload(self, upload_id: str) -> Deleted:
        """Delete an uploaded picture.

        Raises:
            UploadNotFoundError: there is none.
            ReferencedError: a job names it.
        """
        with self._database.write() as session:
            row = store.find_upload(session, upload_id)
            if row is None:
                raise UploadNotFoundError(f"there is no upload {upload_id!r}", upload_id=upload_id)
            needed = references.jobs_naming(session, row.id)
            path = self._drop(session, row, "upload", needed)
        return self._deleted("upload", upload_id, path)

    def _drop(
        self,
        session: Session,
        row: Checkpoint | Dataset | Upload,
        word: str,
        needed: Sequence[Reference],
    ) -> str:
        _refuse(f"{word} {row.id}", needed)
        path = f"datasets/{row.sha256}" if isinstance(row, Dataset) else row.path
        session.delete(row)
        return path

    def _deleted(self, word: str, row_id: str, path: str) -> Deleted:
        is_gone = remove_unneeded(self._database, self._artifacts, path)
        return Deleted(type=word, id=row_id, files_left=not is_gone)


def delete_job(database: Database, artifacts: ArtifactStore, job_id: str) -> Deleted:
    """See `Deletion.delete_job`."""
    with database.write() as session:
        job = require_job(session, job_id)
        if not JobStatus(job.status).has_ended:
            raise JobActiveError(
                f"job {job_id} is {job.status}: cancel it first, then it can be deleted",
                job_id=job_id,
                status=job.status,
            )
        needed = references.jobs_after(session, job_id)
        alone: list[Checkpoint] = []
        for checkpoint in references.trained_by(session, job_id):
            other = references.same_weights(session, checkpoint)
            if other is not None:  # another job has made the same weights: they are that one's now
                checkpoint.path, checkpoint.job_id = other.path, other.job_id
            else:
                alone.append(checkpoint)
                needed += references.jobs_naming(session, checkpoint.id)
        _refuse(f"job {job_id}", needed)
        deleted = [checkpoint.id for checkpoint in alone]
        for row in alone:
            session.delete(row)
        # A chain of retries stays one.
        session.execute(update(Job).where(Job.retry_of == job_id).values(retry_of=job.retry_of))
        session.flush()
        session.delete(job)  # with its shards, artifacts and parents
    is_gone = remove_job_folder(database, artifacts, job_id)
    return Deleted(type="job", id=job_id, checkpoints=deleted, files_left=not is_gone)


def _refuse(what: str, needed: Sequence[Reference]) -> None:
    if not needed:
        return
    words = [f"job {each.id} ({each.kind})" if each.kind else "Darkroom" for each in needed]
    raise ReferencedError(
        f"{what} is needed by {', '.join(dict.fromkeys(words))}: delete that first",
        references=[each.model_dump() for each in needed],
    )


def remove_job_folder(database: Database, artifacts: ArtifactStore, job_id: str) -> bool:
    """Delete the folder of a job that has no row; False if that has to wait.

    Ids are never used again, so that nobody can come to need it meanwhile.
    """
    with database.read() as session:
        if are_files_held(session) or store.find_job(session, job_id) is not None:
            return False
    return _delete(artifacts, f"jobs/{job_id}")


def remove_unneeded(database: Database, artifacts: ArtifactStore, path: str) -> bool:
    """Delete a file, or folder, that no row names; False if one does, or if it has to wait.

    It goes while nobody can come to refer to it: the same bytes may be uploaded again at any time.
    """
    try:
        with database.write() as session:
            if are_files_held(session) or references.is_file_needed(session, path):
                return False
            return _delete(artifacts, path)
    except SQLAlchemyError as error:  # a slow store: the database does not wait for it for ever
        log.warning("%s is left to be swept: %s", path, error)
        return False


def _delete(artifacts: ArtifactStore, path: str) -> bool:
    try:
        artifacts.delete(path)
    except ArtifactStoreError as error:
        log.warning("%s is left to be swept: %s", path, error)
        return False
    return True
