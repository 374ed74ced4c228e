"""How long devices work, for whom and at what: by this process's monotonic clock."""

import time
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from dispatcher.roster import Clock
from jobs.timings import Timed, add_timings
from jobs.usage import add_usage
from jobs.workers import HeldShard

FLUSH_SECONDS = 1.0
LONGEST_TICK_SECONDS = 60.0  # whoever slept longer does not know what ran


class Meter:
    """Counts the device time of each submitter as it is used, and times attempts."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        """Count from now on."""
        self._clock = clock
        self._last_tick = self._last_flush = clock()
        self._used: dict[str, float] = {}
        self._timings: list[Timed] = []
        self._began: dict[tuple[str, int], float] = {}

    def tick(self, held: Sequence[HeldShard]) -> None:
        """These shards have run since the last tick."""
        now = self._clock()
        seconds = min(now - self._last_tick, LONGEST_TICK_SECONDS)
        self._last_tick = now
        for shard in held:
            self._used[shard.submitter] = self._used.get(shard.submitter, 0.0) + seconds

    def flush(self, session: Session, now: datetime) -> None:
        """Keep what was used, about every second."""
        if self._used and self._clock() - self._last_flush >= FLUSH_SECONDS:
            add_usage(session, self._used, now)
            if self._timings:
                add_timings(session, self._timings)
            self._used, self._timings = {}, []
            self._last_flush = self._clock()

    def begin(self, shard_id: str, attempt: int) -> None:
        """An attempt runs from now on."""
        self._began[(shard_id, attempt)] = self._clock()

    def end(self, shard_id: str, attempt: int) -> float | None:
        """How many seconds an attempt took; None if its start was not seen."""
        began = self._began.pop((shard_id, attempt), None)
        return None if began is None else self._clock() - began

    def keep(self, timed: Timed) -> None:
        """A shard was timed; it is kept with what was used."""
        self._timings.append(timed)

    def forget_all_but(self, held: Sequence[HeldShard]) -> None:
        """Drop the starts of attempts that run no more."""
        known = {(shard.id, shard.attempt) for shard in held}
        self._began = {key: at for key, at in self._began.items() if key in known}
