"""Why a job waits, in one sentence of facts."""

from jobs.contract import JobStatus
from jobs.messages import PROTOCOL
from jobs.parents import waiting_words
from jobs.pauses import ALL, scope_words
from jobs.queue_facts import QueueFacts, Setback
from jobs.queue_order import LONGEST_PAUSE
from jobs.tables import Job

LOSSES = {  # by code, where the worker itself goes on
    "engine_died": "the engine of worker {} died",
    "engine_hung": "the engine of worker {} hung",
}


def waiting_reason(job: Job, facts: QueueFacts) -> str | None:
    """Why a job, or some of the shards of one that runs, wait; None if nothing does."""
    if job.status == JobStatus.QUEUED:
        return waiting_words(facts.parents.get(job.id, ())) or _reason(job, facts)
    if job.status == JobStatus.RUNNING and facts.waiting_shards.get(job.id):
        return _reason(job, facts)
    return None


def hindrance(kind: str, facts: QueueFacts) -> str | None:
    """What keeps all shards of a kind from being sent; None: they only have to wait their turn."""
    for scope in (ALL, kind):
        pause = facts.pauses.get(scope)
        if pause is not None:
            what = scope_words(scope)
            return f"{what[0].upper()}{what[1:]} is paused by {pause.paused_by}: {pause.reason}"
    return _lacking_worker(kind, facts)


def _lacking_worker(kind: str, facts: QueueFacts) -> str | None:
    if not facts.workers:
        return "No worker is online."
    if all(worker.protocol != PROTOCOL for worker in facts.workers):
        return "No worker of this version is online."
    able = [worker for worker in facts.workers if facts.runs(worker, kind)]
    if not able:
        return f"No worker that is online runs kind {kind}."
    if all(worker.drained_at or not worker.slots for worker in able):
        which = "worker" if len(able) == 1 else "workers"
        if all(worker.drained_at for worker in able):
            return f"{len(able)} {which} could run it, but {_is(len(able))} drained."
        return f"{len(able)} {which} could run it, but {_takes(len(able))} no shards now."
    return None


def _is(count: int) -> str:
    return "is" if count == 1 else "are"


def _takes(count: int) -> str:
    return "takes" if count == 1 else "take"


def _reason(job: Job, facts: QueueFacts) -> str:
    hindered = hindrance(job.kind, facts)
    if hindered is not None:
        return hindered
    if job.status == JobStatus.QUEUED and job.id in facts.sent:
        return f"It was sent to worker {facts.sent[job.id]}, which has not answered yet."
    before = facts.jobs_before.get(job.id)
    setback = facts.setbacks.get(job.id)
    if setback is not None:
        return _setback_words(job, setback, before, facts)
    waits = "It waits"
    if job.status == JobStatus.RUNNING:
        count = facts.waiting_shards[job.id]
        waits = "One of its shards waits" if count == 1 else f"{count} of its shards wait"
    if before == 0:
        return f"{waits} for a free worker."
    words = _before_words(before, facts)
    return f"{words}." if job.status == JobStatus.QUEUED else f"{waits}: {words}."


def _before_words(before: int | None, facts: QueueFacts) -> str:
    if before is None:
        before = len(facts.jobs_before)
        if not before:
            return "It is about to be sent"
        return f"More than {before} {'job goes' if before == 1 else 'jobs go'} before it"
    return f"{before} {'job goes' if before == 1 else 'jobs go'} before it"


def _setback_words(job: Job, setback: Setback, before: int | None, facts: QueueFacts) -> str:
    what = "It" if job.status == JobStatus.QUEUED else f"Shard {setback.index}"
    wait = setback.not_before - facts.now if setback.not_before else None
    if (
        setback.returned_by
        and wait is not None
        and wait.total_seconds() > 0
        and wait <= LONGEST_PAUSE
    ):
        seconds = max(1, round(wait.total_seconds()))
        return (
            f"{what} was handed back by worker {setback.returned_by}, and is sent again "
            f"in {seconds} s."
        )
    if setback.lost_by:
        lost = LOSSES.get(setback.loss, "worker {} died").format(setback.lost_by)
        again = f"{what} is sent again after {lost}"
    else:
        again = f"{what} is sent again after worker {setback.returned_by} handed it back"
    if before == 0:
        return f"{again}, and waits for a free worker."
    return f"{again}; {_before_words(before, facts)[0].lower()}{_before_words(before, facts)[1:]}."
