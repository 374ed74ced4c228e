"""Labels of a batch become ids, and errors say which of its jobs they are of."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy.orm import Session

from jobs import store
from jobs.errors import JobError, ValidationError
from jobs.parents import with_jobs_renamed
from jobs.requests import JobRequest, job_request_adapter

CAN_BE_NAMED = "the label of a job before it in the batch, or the id of a job"


def with_labels_resolved(
    session: Session, request: JobRequest, ids: Mapping[str, str], later: Sequence[str]
) -> JobRequest:
    """The request with ids in place of labels.

    Args:
        session: to look up ids that are no labels.
        request: a job of a batch.
        ids: label → id of the jobs before it.
        later: labels of this job and of those after it.

    Raises:
        ValidationError: it names a job that does not come before it, or none at all.
    """

    def resolve(field: str, named: str) -> str:
        if named in ids:
            return ids[named]
        if named in later:
            must = f"{named!r}, which does not come before it"
        elif store.find_job(session, named) is None:
            must = repr(named)
        else:
            return named
        raise ValidationError(
            f"{field}: must be {CAN_BE_NAMED}, not {must}",
            field=field,
            value=named,
            allowed=CAN_BE_NAMED,
        )

    given = request.model_dump(mode="json")
    given["after"] = [resolve(f"after.{index}", each) for index, each in enumerate(request.after)]
    given["params"] = with_jobs_renamed(given["params"], resolve)
    return job_request_adapter.validate_python(given)


@contextlib.contextmanager
def in_item(index: int) -> Iterator[None]:
    """Errors of the batch's job of this index say so in their `field` and message."""
    try:
        yield
    except JobError as error:
        raise moved_to(f"jobs.{index}.job.", error) from error


def moved_to(prefix: str, error: JobError) -> JobError:
    """The same error of a field that lies deeper: `prefix` stands before its path."""
    field = error.details.get("field")
    if field is None:
        return type(error)(f"{prefix.rstrip('.')}: {error.message}", **error.details)
    message = error.message if error.message.startswith(field) else f"{field}: {error.message}"
    return type(error)(prefix + message, **error.details | {"field": prefix + field})
