"""The errors that a caller of Darkroom can meet.

* JobError
  + ValidationError            the request says something that cannot be
  + JobNotFoundError           no such job
  + ArtifactNotFoundError      no such artifact, or no such image in it
  + CheckpointNotFoundError    no such checkpoint
  + DatasetNotFoundError       no such dataset
  + UploadNotFoundError        no such upload
  + PreviewNotFoundError       nothing to preview now
  + WorkerNotFoundError        no such worker
  + PauseNotFoundError         nothing of this name is paused
  + JobEndedError              the job has ended, so that it cannot be canceled or changed
  + JobActiveError             the job has not ended, so that it cannot be retried or deleted
  + IdempotencyConflictError   the key was used for another request
  + CheckpointRejectedError    the upload is no checkpoint that Darkroom can run
  + DatasetRejectedError       the upload is no dataset of faces and ages
  + UploadRejectedError        the upload is no picture of a face or a mask
  + PictureRejectedError       the picture does not say how it was made
  + CheckpointChangedError     the picture was made with another checkpoint than this id now means
  + UploadTooLargeError        the upload is over the limit
  + ImportsBusyError           as many imports go on as may at a time
  + ArtifactStoreError         the artifact store does not answer now, or takes no file now
    - ArtifactFileNotFoundError  it answers that there is no such file
    - ArtifactFileChangedError   it holds another file than is meant
    - ArtifactPathError          this path is none of the store's, or is not for this caller
  + DatabaseBusyError          the database is locked by another program
  + DatabaseUnavailableError   the database does not answer
  + StorageFullError           a disk is full
  + ReferencedError            something still needs it, so that it cannot be deleted

Every class has a stable `code`; the API has one HTTP status for each.
"""

from typing import Any


class JobError(Exception):
    """Root of the errors that a caller can meet; `details` are facts beside the message."""

    code = "job_error"

    def __init__(self, message: str, **details: Any) -> None:
        """Keep the message for people and the details for programs."""
        super().__init__(message)
        self.message = message
        self.details = details


class ValidationError(JobError):
    """The request says something that cannot be."""

    code = "validation_error"


class JobNotFoundError(JobError):
    """No such job."""

    code = "job_not_found"


class ArtifactNotFoundError(JobError):
    """No such artifact, or no such image in it."""

    code = "artifact_not_found"


class CheckpointNotFoundError(JobError):
    """No such checkpoint."""

    code = "checkpoint_not_found"


class DatasetNotFoundError(JobError):
    """No such dataset."""

    code = "dataset_not_found"


class UploadNotFoundError(JobError):
    """No such upload."""

    code = "upload_not_found"


class PreviewNotFoundError(JobError):
    """Nothing to preview now."""

    code = "preview_not_found"


class WorkerNotFoundError(JobError):
    """No such worker."""

    code = "worker_not_found"


class PauseNotFoundError(JobError):
    """Nothing of this name is paused."""

    code = "pause_not_found"


class JobEndedError(JobError):
    """The job has ended, so that it cannot be canceled or changed."""

    code = "job_ended"


class JobActiveError(JobError):
    """The job has not ended, so that it cannot be retried or deleted."""

    code = "job_active"


class IdempotencyConflictError(JobError):
    """The idempotency key was used for another request."""

    code = "idempotency_conflict"


class CheckpointRejectedError(JobError):
    """The upload is no checkpoint that Darkroom can run."""

    code = "checkpoint_rejected"


class DatasetRejectedError(JobError):
    """The upload is no dataset of faces and ages."""

    code = "dataset_rejected"


class UploadRejectedError(JobError):
    """The upload is no picture of a face or a mask."""

    code = "upload_rejected"


class PictureRejectedError(JobError):
    """The picture does not say how it was made."""

    code = "picture_rejected"


class CheckpointChangedError(JobError):
    """The picture was made with another checkpoint than this id now means."""

    code = "checkpoint_changed"


class UploadTooLargeError(JobError):
    """The upload is over the limit."""

    code = "upload_too_large"


class ImportsBusyError(JobError):
    """As many imports go on as may at a time."""

    code = "imports_busy"


class DatabaseBusyError(JobError):
    """The database is locked by another program."""

    code = "database_busy"


class DatabaseUnavailableError(JobError):
    """The database does not answer."""

    code = "database_unavailable"


class StorageFullError(JobError):
    """A disk is full."""

    code = "storage_full"


class ReferencedError(JobError):
    """Something still needs it, so that it cannot be deleted."""

    code = "still_referenced"


class ArtifactStoreError(JobError):
    """The artifact store does not answer, or does not take a file."""

    # This class alone means that it may be otherwise later; what its subclasses say stays so.
    code = "artifact_store_error"


class ArtifactFileNotFoundError(ArtifactStoreError):
    """The artifact store answers that there is no such file."""

    code = "artifact_file_not_found"


class ArtifactFileChangedError(ArtifactStoreError):
    """The artifact store holds, or was sent, another file than is meant."""

    code = "artifact_file_changed"


class ArtifactPathError(ArtifactStoreError):
    """This path is none of the artifact store's, or is not for this caller."""

    code = "artifact_path"
