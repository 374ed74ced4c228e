"""Keep the first estimate of each job, and judge it when the job has succeeded."""

from collections.abc import Mapping
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from jobs.contract import JobStatus
from jobs.forecast import Forecast
from jobs.queue_contract import EstimateRecord
from jobs.tables import Estimate, Job

JUDGED = 100  # newest estimates that the record is of


def keep_first(session: Session, forecasts: Mapping[str, Forecast], now: datetime) -> None:
    """Keep these estimates, unless there are earlier ones of the same jobs."""
    for job_id, forecast in forecasts.items():
        if session.get(Estimate, job_id) is not None:
            continue
        start = forecast.start or (None, None)
        session.add(
            Estimate(
                job_id=job_id,
                made_at=now,
                start_from=start[0],
                start_until=start[1],
                end_from=forecast.end[0],
                end_until=forecast.end[1],
            )
        )


def judge(session: Session, job: Job) -> None:
    """Compare what was estimated with what came; a job that did not succeed says nothing."""
    estimate = session.get(Estimate, job.id)
    if estimate is None or estimate.judged_at is not None:
        return
    if job.status != JobStatus.SUCCEEDED or job.finished_at is None:
        session.delete(estimate)
        return
    estimate.judged_at = datetime.now(UTC)
    estimate.end_came_true = estimate.end_from <= job.finished_at <= estimate.end_until
    if estimate.start_from is not None and estimate.start_until is not None and job.started_at:
        estimate.start_came_true = estimate.start_from <= job.started_at <= estimate.start_until


def record_of_estimates(session: Session) -> EstimateRecord:
    """How often the newest estimates came true."""
    rows = session.execute(
        select(Estimate.end_came_true, Estimate.start_came_true)
        .where(Estimate.judged_at.is_not(None))
        .order_by(Estimate.judged_at.desc())
        .limit(JUDGED)
    ).all()
    starts = [start for _, start in rows if start is not None]
    return EstimateRecord(
        jobs=len(rows),
        ends_within=sum(bool(end) for end, _ in rows),
        starts=len(starts),
        starts_within=sum(starts),
    )
