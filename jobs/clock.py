"""Times of jobs that keep their order, although the clock may be set back.

All times in the database are of the clock of its host: that of a worker is never used.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from jobs.tables import Job

LONGEST_LEAD = timedelta(days=1)
JUMP_SECONDS = 600.0


def next_created_at(session: Session) -> datetime:
    """Now, but after every job so far: jobs keep their order when the clock is set back.

    A clock that was once wrong by more than a day is not followed.
    """
    now = datetime.now(UTC)
    newest = session.scalar(select(func.max(Job.created_at)).where(Job.created_at > now))
    if newest is None or newest - now > LONGEST_LEAD:
        return now
    return newest + timedelta(microseconds=1)


class ClockWatch:
    """Notices when the wall clock jumps: for a day after that, nothing is deleted for its age."""

    def __init__(
        self,
        steady: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """Trust the clock as it is now."""
        self._steady, self._wall = steady, wall
        self._difference = wall() - steady()
        self._trusted_from = steady()

    def is_trusted(self) -> bool:
        """Whether the wall clock has gone as the steady one for a day, or since the beginning."""
        difference = self._wall() - self._steady()
        if abs(difference - self._difference) > JUMP_SECONDS:
            self._difference = difference
            self._trusted_from = self._steady() + LONGEST_LEAD.total_seconds()
        return self._steady() >= self._trusted_from
