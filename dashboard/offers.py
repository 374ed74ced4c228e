"""What forms offer to choose from: checkpoints, datasets, pictures, and jobs by what they make."""

from collections.abc import Callable, Iterator, Mapping

from dashboard.forms.fields import Choices, Field, KindForm, Source
from dashboard.titles import job_title
from dashboard.typed import OF_A_JOB
from jobs.contract import ACTIVE, JobStatus, JobView
from jobs.kinds.evaluate import MAKES_IMAGES, MIN_IMAGES
from jobs.kinds.references import NOISE_PREDICTOR, REGRESSOR, TRAINED_BY
from jobs.service import JobService

JOBS_OFFERED = 100  # newest of each status


def offers_of(service: JobService, kind: KindForm) -> dict[str, Choices]:
    """Field → choices, of the fields of this form whose choices are not fixed."""
    return {each.name: _offered(service, each) for each in kind.fields if each.source}


def _offered(service: JobService, each: Field) -> Choices:
    if each.source in _ARCHITECTURES:
        return _networks(service, _ARCHITECTURES[each.source], each.is_reference)
    return tuple(_OFFERS[each.source](service))


def _networks(service: JobService, architecture: str, with_jobs: bool) -> Choices:
    """Checkpoints of an architecture; with what is still being trained, if that may be named."""
    known = [
        (each.id, f"{each.name} (width {each.width})")
        for each in service.list_checkpoints()
        if each.architecture == architecture
    ]
    if not with_jobs:
        return tuple(known)
    promised = [
        (f"{OF_A_JOB}{job.id}", f"What job {job.id} trains: {job_title(job)} ({job.status.value})")
        for job in _jobs(service, ACTIVE)
        if job.kind == TRAINED_BY[architecture]
    ]
    return (*known, *promised)


def _datasets(service: JobService) -> Iterator[tuple[str, str]]:
    for each in service.list_datasets():
        yield each.id, each.name if each.count is None else f"{each.name} ({each.count:,})"


def _uploads(service: JobService) -> Iterator[tuple[str, str]]:
    for each in service.list_uploads():
        yield each.id, f"{each.name} ({each.id})"


def _faces(service: JobService) -> Iterator[tuple[str, str]]:
    """Jobs whose faces can be evaluated, now or when they have succeeded."""
    for job in _jobs(service, (JobStatus.SUCCEEDED, *ACTIVE)):
        if can_be_evaluated(job):
            yield job.id, _named(job)


def _any_jobs(service: JobService) -> Iterator[tuple[str, str]]:
    """Jobs that can be reported on, oldest first: what is made of something comes after it."""
    jobs = [job for job in _jobs(service, (JobStatus.SUCCEEDED, *ACTIVE)) if job.kind != "report"]
    for job in sorted(jobs, key=lambda job: (job.created_at, job.id)):
        yield job.id, _named(job)


def can_be_evaluated(job: JobView) -> bool:
    """Whether there is something to measure once it has succeeded."""
    return job.kind in MAKES_IMAGES and (job.kind != "sample" or job.params["count"] >= MIN_IMAGES)


def _named(job: JobView) -> str:
    status = "" if job.status.has_ended else f", {job.status.value}"
    return f"{job_title(job)} ({job.id}{status})"


def _jobs(service: JobService, statuses: tuple[JobStatus, ...]) -> list[JobView]:
    return [
        job for status in statuses for job in service.list_jobs(JOBS_OFFERED, status=status).items
    ]


_ARCHITECTURES: Mapping[Source, str] = {
    "noise_predictors": NOISE_PREDICTOR,
    "regressors": REGRESSOR,
}
_OFFERS: Mapping[Source, Callable[[JobService], Iterator[tuple[str, str]]]] = {
    "datasets": _datasets,
    "uploads": _uploads,
    "faces": _faces,
    "any_jobs": _any_jobs,
}
