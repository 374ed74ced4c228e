"""Which free worker takes which waiting shard: the order of the queue first, warmth second."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dispatcher.roster import Clock
from jobs.queue_order import AHEAD_SECONDS, WaitingShard, can_run

PATIENCE_SECONDS = 2.0  # how long a shard is passed over for one whose checkpoint is loaded


@dataclass(frozen=True)
class Slot:
    """A free slot of a worker: the kinds that it runs (None: all), the checkpoints it has loaded.

    `warm` holds SHA-256 hashes.
    """

    worker: str
    kinds: frozenset[str] | None
    warm: frozenset[str] = frozenset()


Networks = Callable[[WaitingShard], frozenset[str]]  # the SHA-256 of what a shard needs loaded
Match = tuple[WaitingShard, Slot]


class Matcher:
    """Gives each slot the first shard that it can run.

    Of several slots, a shard gets one whose worker has its checkpoint loaded. A slot may take
    a shard that it has loaded before one that it has not, if they are equal: of the same priority,
    and of submitters whose shares differ by less than one shard counts. Nobody is passed over for
    longer than `PATIENCE_SECONDS`, so that warmth never costs anybody more than that.
    """

    def __init__(self, clock: Clock = time.monotonic) -> None:
        """Remember nothing."""
        self._clock = clock
        self._passed_over: dict[str, float] = {}  # shard → since when

    def match(
        self, front: Sequence[WaitingShard], slots: Sequence[Slot], networks: Networks
    ) -> list[Match]:
        """Pairs of a shard and a slot, in the order of the queue.

        Args:
            front: the first shards of the queue, in their order.
            slots: free ones, the best first.
            networks: what a shard needs loaded.
        """
        waiting, free = list(front), list(slots)
        matches: list[Match] = []
        while waiting and free:
            shard = waiting[0]
            able = [slot for slot in free if can_run(slot.kinds, shard.job_kind, shard.kind)]
            if not able:
                waiting.pop(0)
                continue
            needed = networks(shard)
            slot = next((slot for slot in able if needed and needed <= slot.warm), able[0])
            if needed and not needed <= slot.warm:
                shard = self._warmer(waiting, slot, networks) or shard
            waiting.remove(shard)
            free.remove(slot)
            self._passed_over.pop(shard.shard_id, None)
            matches.append((shard, slot))
        self._note_passed_over(front, matches)
        return matches

    def _warmer(
        self, waiting: Sequence[WaitingShard], slot: Slot, networks: Networks
    ) -> WaitingShard | None:
        """A shard that this slot has loaded, and that is equal to the first."""
        first = waiting[0]
        since = self._passed_over.get(first.shard_id)
        if not slot.warm or (since is not None and self._clock() - since >= PATIENCE_SECONDS):
            return None
        own: set[str] = {first.submitter}
        for shard in waiting[1:]:
            is_next = shard.submitter not in own  # the jobs of one submitter keep their order
            own.add(shard.submitter)
            if shard.priority != first.priority or shard.share - first.share >= AHEAD_SECONDS:
                return None
            if is_next and can_run(slot.kinds, shard.job_kind, shard.kind):
                needed = networks(shard)
                if needed and needed <= slot.warm:
                    return shard
        return None

    def _note_passed_over(self, front: Sequence[WaitingShard], matches: Sequence[Match]) -> None:
        """Who waits although one behind it was taken is passed over since now, or before."""
        taken = {shard.shard_id for shard, _ in matches}
        places = [place for place, shard in enumerate(front) if shard.shard_id in taken]
        last = places[-1] if places else 0
        passed = {shard.shard_id for shard in front[:last] if shard.shard_id not in taken}
        waiting = {shard.shard_id for shard in front} - taken
        now = self._clock()
        self._passed_over = {
            shard: self._passed_over.get(shard, now)
            for shard in waiting
            if shard in passed or shard in self._passed_over
        }
