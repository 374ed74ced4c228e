"""The jobs that a job waits for: whom its request names, and whether they can still succeed.

A job's parents are the jobs that its request gives as `after` and all that its parameters name: a
key `job` with an id, or `jobs` with a list of them, at any depth.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from jobs import store
from jobs.children import ended_words
from jobs.contract import JobStatus
from jobs.errors import JobNotFoundError, ValidationError
from jobs.tables import Job

NAMES_ONE, NAMES_SEVERAL = "job", "jobs"  # keys of parameters
CAN_STILL_SUCCEED = "a job that can still succeed"


def named_jobs(params: Any, path: str = "params") -> Iterator[tuple[str, str]]:
    """Field → id of each job that dumped parameters name."""
    if isinstance(params, Mapping):
        for key, value in params.items():
            if key == NAMES_ONE and isinstance(value, str):
                yield f"{path}.{key}", value
            elif key == NAMES_SEVERAL and _is_list_of_texts(value):
                yield from ((f"{path}.{key}.{index}", each) for index, each in enumerate(value))
            else:
                yield from named_jobs(value, f"{path}.{key}")
    elif isinstance(params, list):
        for index, each in enumerate(params):
            yield from named_jobs(each, f"{path}.{index}")


def with_jobs_renamed(params: Any, rename: Callable[[str, str], str], path: str = "params") -> Any:
    """The same parameters with other ids; `rename` gets a field and the id that it holds."""
    if isinstance(params, Mapping):
        return {key: _renamed(key, value, rename, path) for key, value in params.items()}
    if isinstance(params, list):
        return [
            with_jobs_renamed(each, rename, f"{path}.{index}") for index, each in enumerate(params)
        ]
    return params


def _renamed(key: str, value: Any, rename: Callable[[str, str], str], path: str) -> Any:
    field = f"{path}.{key}"
    if key == NAMES_ONE and isinstance(value, str):
        return rename(field, value)
    if key == NAMES_SEVERAL and _is_list_of_texts(value):
        return [rename(f"{field}.{index}", each) for index, each in enumerate(value)]
    return with_jobs_renamed(value, rename, field)


def _is_list_of_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def require_parents(session: Session, after: Sequence[str], params: Any) -> list[str]:
    """The ids of a new job's parents, each once, in the order in which they are named.

    Args:
        session: of the transaction that inserts the job, so that no parent can end meanwhile.
        after: ids that the request gives.
        params: the parameters as a dictionary.

    Raises:
        JobNotFoundError: there is no such job.
        ValidationError: one of them has failed or was canceled.
    """
    named = [(f"after.{index}", each) for index, each in enumerate(after)] + [*named_jobs(params)]
    for field, job_id in named:
        parent = store.find_job(session, job_id)
        if parent is None:
            raise JobNotFoundError(
                f"{field}: there is no job {job_id!r}; GET /api/v1/jobs lists them",
                field=field,
                value=job_id,
            )
        if parent.status in (JobStatus.FAILED, JobStatus.CANCELED):
            raise ValidationError(
                f"{field}: must be {CAN_STILL_SUCCEED}; {job_id} ({parent.kind}) "
                f"{ended_words(parent)}",
                field=field,
                value=job_id,
                allowed=CAN_STILL_SUCCEED,
                status=parent.status,
            )
    return list(dict.fromkeys(job_id for _, job_id in named))


def newest_that_can_succeed(session: Session, job_id: str) -> str | None:
    """This job, or the newest that was made of it anew if it failed or was canceled; or None."""
    job = store.find_job(session, job_id)
    while job is not None and job.status in (JobStatus.FAILED, JobStatus.CANCELED):
        job = store.newest_retry(session, job.id)
    return None if job is None else job.id


def waiting_words(parents: Sequence[Job]) -> str | None:
    """For whom a job with these parents waits, in one sentence; None if all have succeeded."""
    awaited = [parent for parent in parents if parent.status != JobStatus.SUCCEEDED]
    if not awaited:
        return None
    first = f"{awaited[0].id} ({awaited[0].kind}, {awaited[0].status})"
    if len(awaited) == 1:
        return f"It waits for job {first}."
    return f"It waits for {len(awaited)} jobs, first {first}."
