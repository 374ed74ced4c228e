"""Jobs as callers see them, with their place in the queue: why they wait, for whom, how long."""

from collections.abc import Iterable

from sqlalchemy.orm import Session

from jobs.contract import EstimateView, JobStatus, JobView
from jobs.forecast import forecast
from jobs.parents import waiting_words
from jobs.queue_facts import QueueFacts
from jobs.tables import Job
from jobs.views import job_view
from jobs.waiting import hindrance, waiting_reason

PLAYED_SHARDS = 2000  # of the front of the queue, for an estimate


def view_of(session: Session, job: Job) -> JobView:
    """The job as it is now, with an estimate of its start and end."""
    facts = QueueFacts(session, [job])
    view = _view(job, facts)
    if JobStatus(job.status).has_ended:
        return view
    return view.model_copy(update={"estimate": _estimate(session, job, facts)})


def views_of(session: Session, jobs: Iterable[Job]) -> list[JobView]:
    """The jobs as they are now, without estimates; facts are read once for all of them."""
    listed = list(jobs)
    facts = QueueFacts(session, listed)
    return [_view(job, facts) for job in listed]


def _view(job: Job, facts: QueueFacts) -> JobView:
    return job_view(
        job,
        waiting_reason(job, facts),
        facts.parents.get(job.id, ()),
        facts.notices.get(job.id),
    )


def _estimate(session: Session, job: Job, facts: QueueFacts) -> EstimateView:
    blocked = waiting_words(facts.parents.get(job.id, ())) or hindrance(job.kind, facts)
    if blocked is not None and not (job.id in facts.held and not facts.waiting_shards.get(job.id)):
        return EstimateView(reason=blocked)
    front = facts.front(PLAYED_SHARDS)
    forecasts, unknown = forecast(session, front, facts.slots, facts.now)
    if job.id in forecasts:
        found = forecasts[job.id]
        return EstimateView(start=found.start, end=found.end)
    if job.id in unknown:
        return EstimateView(reason=f"No shard of kind {unknown[job.id]} was measured yet.")
    return EstimateView(reason="More shards go before it than are played forward.")
