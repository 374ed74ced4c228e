"""The first estimate of each job, kept to be judged by its end."""

import logging
import time
from collections import OrderedDict
from collections.abc import Iterable

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from dispatcher.roster import Clock
from jobs.estimates import keep_first
from jobs.forecast import forecast
from jobs.queue_facts import QueueFacts
from jobs.queue_views import PLAYED_SHARDS

log = logging.getLogger(__name__)

EVERY_SECONDS = 2.0  # one play gives the estimates of all jobs
MOST_KEPT = 10_000  # jobs of which it is known that they need no other


class Forecaster:
    """Estimates new jobs, all at once and only now and then."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        """Wait for jobs."""
        self._clock = clock
        self._new: set[str] = set()
        self._kept: OrderedDict[str, None] = OrderedDict()
        self._next = clock()

    def note(self, session: Session, hinted: Iterable[str], started: Iterable[str]) -> None:
        """These jobs are new, or start; keep the estimates that can be made of them."""
        self._new |= {*hinted, *started} - self._kept.keys()
        if not self._new or self._clock() < self._next:
            return
        new, self._new = self._new, set()
        self._next = self._clock() + EVERY_SECONDS
        try:
            facts = QueueFacts(session, [])
            front = facts.front(PLAYED_SHARDS)
            forecasts, _ = forecast(session, front, facts.slots, facts.now)
        except SQLAlchemyError:
            raise
        except Exception:  # no job depends on it
            log.exception("no estimates can be made")
            return
        made = {job: forecasts[job] for job in new & forecasts.keys()}
        keep_first(session, made, facts.now)
        self._kept |= dict.fromkeys(made)
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
