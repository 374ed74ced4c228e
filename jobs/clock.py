"""Times of jobs that keep their order, although the clock may be set back.

All times in the database are of the clock of its host: that of a worker is never used.
"""

from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from jobs.tables import Job

LONGEST_LEAD = timedelta(days=1)


def next_created_at(session: Session) -> datetime:
    """Now, but after every job so far: jobs keep their order when the clock is set back.

    A clock that was once wrong by more than a day is not followed.
    """
    now = datetime.now(UTC)
    newest = session.scalar(select(func.max(Job.created_at)).where(Job.created_at > now))
    if newest is None or newest - now > LONGEST_LEAD:
        return now
    return newest + timedelta(microseconds=1)
