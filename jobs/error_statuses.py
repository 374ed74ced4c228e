"""The one table of error class → HTTP status, for the API and the dashboard alike."""

from http import HTTPStatus

from jobs import errors

RETRY_AFTER_SECONDS = 5  # with a 503: what hinders may have passed by then

STATUSES: dict[type[errors.JobError], HTTPStatus] = {
    errors.ValidationError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.JobNotFoundError: HTTPStatus.NOT_FOUND,
    errors.ArtifactNotFoundError: HTTPStatus.NOT_FOUND,
    errors.CheckpointNotFoundError: HTTPStatus.NOT_FOUND,
    errors.DatasetNotFoundError: HTTPStatus.NOT_FOUND,
    errors.UploadNotFoundError: HTTPStatus.NOT_FOUND,
    errors.PreviewNotFoundError: HTTPStatus.NOT_FOUND,
    errors.WorkerNotFoundError: HTTPStatus.NOT_FOUND,
    errors.PauseNotFoundError: HTTPStatus.NOT_FOUND,
    errors.JobEndedError: HTTPStatus.CONFLICT,
    errors.JobActiveError: HTTPStatus.CONFLICT,
    errors.IdempotencyConflictError: HTTPStatus.CONFLICT,
    errors.CheckpointRejectedError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.DatasetRejectedError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.UploadRejectedError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.PictureRejectedError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.CheckpointChangedError: HTTPStatus.CONFLICT,
    errors.UploadTooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.ImportsBusyError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.DatabaseBusyError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.DatabaseUnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.StorageFullError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.ReferencedError: HTTPStatus.CONFLICT,
    errors.ArtifactStoreError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.ArtifactFileNotFoundError: HTTPStatus.NOT_FOUND,
    errors.ArtifactFileChangedError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.ArtifactPathError: HTTPStatus.FORBIDDEN,
}
