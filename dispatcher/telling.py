"""Tell how jobs stand after a pass, and stop who works for those that have ended."""

from collections.abc import Mapping, Sequence

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from dispatcher.outcome import Outcome
from jobs.contract import JobStatus, JobUpdate, Progress
from jobs.estimates import judge
from jobs.messages import Order, OrderType
from jobs.tables import SHARDS, Job, Shard
from jobs.views import unit_of


def tell_of_jobs(session: Session, outcome: Outcome) -> None:
    """Tell how the jobs stand now, and stop what works for ended ones."""
    job_ids = list(outcome.touched.keys() | outcome.hinted)
    if not job_ids:
        return
    previews = _previews(session, job_ids)
    rows = session.scalars(_LOOKED_AT, {"ids": job_ids}, execution_options=_ANEW)
    for job in rows.all():
        if JobStatus(job.status).has_ended:
            outcome.orders += _stop_orders(session, job.id)
            judge(session, job)
        outcome.updates.append(
            JobUpdate(
                job_id=job.id,
                status=JobStatus(job.status),
                status_seq=job.status_seq,
                progress=Progress(done=job.done, total=job.total, unit=unit_of(job)),
                previews=previews[job.id],
                shards_changed=outcome.touched.get(job.id, True),
            )
        )


_LOOKED_AT = select(Job).where(Job.id.in_(bindparam("ids", expanding=True)))
_ANEW = {"populate_existing": True}


def _stop_orders(session: Session, job_id: str) -> list[tuple[str, Order]]:
    """To whoever may still work for a job that has ended."""
    rows = session.execute(
        select(Shard.id, Shard.attempt, Shard.holder, Shard.sent_to).where(
            Shard.job_id == job_id,
            Shard.status == JobStatus.CANCELED,
            Shard.holder.is_not(None) | Shard.sent_to.is_not(None),
        )
    )
    return [
        (str(holder or sent_to), Order(type=OrderType.STOP, shard_id=shard_id, attempt=attempt))
        for shard_id, attempt, holder, sent_to in rows
    ]


_PREVIEWS = select(SHARDS.c.job_id, SHARDS.c.index, SHARDS.c.preview_version).where(
    SHARDS.c.job_id.in_(bindparam("of_jobs", expanding=True)),
    SHARDS.c.status == JobStatus.RUNNING.value,
    SHARDS.c.preview_version > 0,
)


def _previews(session: Session, job_ids: Sequence[str]) -> Mapping[str, dict[int, int]]:
    """Job → shard index → version of its preview, of the shards that run."""
    previews: dict[str, dict[int, int]] = {job_id: {} for job_id in job_ids}
    for job_id, index, version in session.execute(_PREVIEWS, {"of_jobs": job_ids}):
        previews[job_id][index] = version
    return previews
