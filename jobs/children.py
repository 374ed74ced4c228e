"""What becomes of jobs that wait for one that failed or was canceled; guarded in SQL."""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session, aliased

from jobs.contract import ACTIVE_VALUES, ErrorInfo, JobStatus
from jobs.database import changed
from jobs.tables import Job, JobParent, Shard

PARENT_FAILED, PARENT_CANCELED = "parent_failed", "parent_canceled"


def ended_words(job: Job) -> str:
    """`failed` or `was canceled`."""
    return "failed" if job.status == JobStatus.FAILED else "was canceled"


def end_children(session: Session, parent_id: str) -> list[str]:
    """End all jobs that wait for one that failed or was canceled, and those that wait for them.

    Call it in the transaction that ended the parent: nobody ever sees a job that waits in vain.

    Returns:
        The ids of the jobs that ended.
    """
    ended: list[str] = []
    parents = [parent_id]
    while parents:
        parent = session.get_one(Job, parents.pop(0), populate_existing=True)
        for child_id in _active_children(session, parent.id):
            if _end_child(session, parent, child_id):
                ended.append(child_id)
                parents.append(child_id)
    return ended


def _active_children(session: Session, parent_id: str) -> Sequence[str]:
    return session.scalars(
        select(Job.id)
        .join(JobParent, JobParent.job_id == Job.id)
        .where(JobParent.parent_id == parent_id, Job.status.in_(ACTIVE_VALUES))
        .order_by(Job.created_at, Job.id)
    ).all()


def _end_child(session: Session, parent: Job, child_id: str) -> bool:
    """End the child as its parent ended, guarded by both: it has not ended, and that one has so."""
    ending = aliased(Job)
    has_ended_so = select(ending.id).where(ending.id == parent.id, ending.status == parent.status)
    now = datetime.now(UTC)
    has_ended = changed(
        session,
        update(Job)
        .where(Job.id == child_id, Job.status.in_(ACTIVE_VALUES), has_ended_so.exists())
        .values(
            status=parent.status,
            error=_error_of_child(parent).model_dump(mode="json"),
            finished_at=now,
            status_seq=Job.status_seq + 1,
        ),
    )
    if not has_ended:
        return False
    session.execute(
        update(Shard)
        .where(Shard.job_id == child_id, Shard.status.in_(ACTIVE_VALUES))
        .values(status=JobStatus.CANCELED, finished_at=now)
    )
    return True


def _error_of_child(parent: Job) -> ErrorInfo:
    has_failed = parent.status == JobStatus.FAILED
    error = parent.error or {"code": "canceled", "message": "", "details": {}}
    first = {"job": parent.id, "kind": parent.kind, "code": error["code"]}
    message = f"It waited for job {parent.id} ({parent.kind}), which {ended_words(parent)}"
    if error["code"] in (PARENT_FAILED, PARENT_CANCELED):
        first = error["details"]["first"]
        message += f" because job {first['job']} ({first['kind']}) {ended_words(parent)}"
    reason = error["details"].get("reason", error["message"]) if has_failed else None
    return ErrorInfo(
        code=PARENT_FAILED if has_failed else PARENT_CANCELED,
        message=f"{message}: {reason}" if reason else f"{message}.",
        details={"job": parent.id, "kind": parent.kind, "first": first}
        | ({"reason": reason} if reason else {}),
    )
