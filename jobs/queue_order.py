"""Which shard goes next: by priority, then by who has used least device time of late, then by age.

Dispatcher and pages read the same order from here, so that what is said of a place in the queue is
what happens. Shards of one priority and submitter are a *lane*, in the order in which their jobs
were made. Lanes of one priority are merged by their submitters' shares: device-seconds of late, and
`AHEAD_SECONDS` for each shard that is on its way, runs, or stands before in the lane, so that
several free slots go round. A submitter that has got nothing for `PATIENCE` goes first, once,
whatever the priorities are: nobody starves.

No query here scans a table: lanes are found in an index of the jobs that have not ended, and each
is read from its front, only as far as is asked for.
"""

import functools
import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, bindparam, func, select, union_all
from sqlalchemy.orm import Session

from jobs import store
from jobs.contract import JobStatus
from jobs.tables import JOBS, SHARDS
from jobs.usage import shares_of

AHEAD_SECONDS = 10.0
PATIENCE = timedelta(hours=1)
LONGEST_PAUSE = timedelta(seconds=60)  # after a hand-back: what lies further ahead is a wrong clock
FIRST_ROWS = 16  # of a lane that are read at once; then twice as many, up to MOST_ROWS
MOST_ROWS = 512


@dataclass(frozen=True)
class WaitingShard:
    """A shard that can be sent now, and what decides its place; `share` is in device-seconds."""

    share: float
    shard_id: str
    index: int
    kind: str
    attempt: int
    total: int
    images: int
    job_id: str
    job_kind: str
    created_at: datetime
    priority: int
    submitter: str


@dataclass(frozen=True)
class Runnable:
    """What may be sent: kinds that somebody runs (None: all), less those that are paused."""

    kinds: frozenset[str] | None = None
    paused: frozenset[str] = frozenset()


def kinds_of(capabilities: Mapping[str, Any]) -> frozenset[str] | None:
    """The kinds that a worker runs, as it tells; None: all."""
    kinds = capabilities.get("kinds")
    return frozenset(map(str, kinds)) if isinstance(kinds, list) else None


def can_run(kinds: frozenset[str] | None, job_kind: str, shard_kind: str) -> bool:
    """Whether a worker of these kinds (None: all) runs such a shard.

    What assembles a job goes wherever the job's other shards go.
    """
    return kinds is None or job_kind in kinds or shard_kind in kinds


def front_of_queue(
    session: Session, now: datetime, limit: int, runnable: Runnable
) -> list[WaitingShard]:
    """The first `limit` shards in the order in which they go."""
    lanes = session.execute(lanes_query()).all()
    shares = shares_of(session, {lane.submitter for lane in lanes}, now)
    on_the_way = {name: count for name, count in session.execute(on_the_way_query())}
    heap: list[tuple[Any, int, WaitingShard, Iterator[WaitingShard]]] = []
    seen: set[str] = set()
    for number, (priority, submitter) in enumerate(lanes):
        share = shares[submitter]
        start = share.seconds + AHEAD_SECONDS * on_the_way.get(submitter, 0)
        lane = {"priority": priority, "submitter": submitter, "now": now}
        rows = _lane(session, lane_query(runnable), lane, start)
        first = next(rows, None)
        if first is None:
            continue
        waited = now - max(share.served_at or first.created_at, first.created_at)
        is_overdue = submitter not in seen and waited >= PATIENCE
        seen.add(submitter)
        heap.append((_key(first, is_overdue), number, first, rows))
    heapq.heapify(heap)
    front: list[WaitingShard] = []
    while heap and len(front) < limit:
        _, number, shard, rows = heapq.heappop(heap)
        front.append(shard)
        following = next(rows, None) if len(front) < limit else None
        if following is not None:
            heapq.heappush(heap, (_key(following, False), number, following, rows))
    return front


def _key(shard: WaitingShard, is_overdue: bool) -> tuple[Any, ...]:
    age = (shard.created_at, shard.job_id, shard.index)
    return (not is_overdue, -shard.priority, shard.share, *age)


def _lane(
    session: Session, query: Select[*tuple[Any, ...]], lane: dict[str, Any], share: float
) -> Iterator[WaitingShard]:
    """The shards of a lane in their order, read as they are asked for."""
    lane["too_late"] = lane["now"] + LONGEST_PAUSE
    read, wanted = 0, FIRST_ROWS
    while True:
        rows = session.execute(query, lane | {"read": read, "wanted": wanted}).all()
        for number, row in enumerate(rows, read):
            yield WaitingShard(share + AHEAD_SECONDS * number, *row)
        if len(rows) < wanted:
            return
        read, wanted = read + wanted, min(2 * wanted, MOST_ROWS)


_JOB = JOBS.c


@functools.cache  # making a statement takes longer than running it
def lanes_query() -> Select[int, str]:
    """Priority and submitter of all jobs that have not ended, the highest priority first."""
    return (
        select(_JOB.priority, _JOB.submitter)
        .where(_JOB.finished_at.is_(None))
        .group_by(_JOB.priority, _JOB.submitter)
        .order_by(_JOB.priority.desc(), _JOB.submitter)
    )


@functools.cache
def on_the_way_query() -> Select[str, int]:
    """Submitter → how many shards are sent or run."""
    shard = SHARDS.c
    has_not_ended = shard.finished_at.is_(None)
    running = select(shard.job_id).where(
        has_not_ended, shard.holder.is_not(None), shard.status == JobStatus.RUNNING.value
    )
    sent = select(shard.job_id).where(has_not_ended, shard.sent_to.is_not(None))
    shards = union_all(running, sent).subquery()
    return (
        select(_JOB.submitter, func.count())
        .join(shards, shards.c.job_id == _JOB.id)
        .group_by(_JOB.submitter)
    )


@functools.lru_cache(256)
def lane_query(runnable: Runnable) -> Select[*tuple[Any, ...]]:
    """The shards of the lane of `priority` and `submitter` that can be sent now, in their order.

    What assembles a job waits until all that it assembles has succeeded, a job until its parents
    have, and a shard that was handed back until its pause is over.
    """
    shard, sibling = SHARDS.c, SHARDS.alias().c
    unfinished = (
        select(sibling.id)
        .where(
            sibling.job_id == _JOB.id,
            sibling.index < shard.index,
            sibling.status != JobStatus.SUCCEEDED.value,
        )
        .exists()
    )
    query = (
        select(
            *(shard.id, shard.index, shard.kind, shard.attempt, shard.total, shard.image_count),
            *(_JOB.id, _JOB.kind, _JOB.created_at, _JOB.priority, _JOB.submitter),
        )
        .join(SHARDS, shard.job_id == _JOB.id)
        .where(
            _JOB.finished_at.is_(None),
            _JOB.priority == bindparam("priority"),
            _JOB.submitter == bindparam("submitter"),
            shard.status == JobStatus.QUEUED.value,
            shard.sent_to.is_(None),
            shard.not_before.is_(None)
            | (shard.not_before <= bindparam("now"))
            | (shard.not_before > bindparam("too_late")),
            (shard.kind != "assemble") | ~unfinished,
            ~store.waits_for_parents(),
        )
        .order_by(_JOB.created_at, _JOB.id, shard.index)
        .offset(bindparam("read"))
        .limit(bindparam("wanted"))
    )
    if runnable.paused:
        query = query.where(_JOB.kind.not_in(runnable.paused))
    if runnable.kinds is not None:
        query = query.where(_JOB.kind.in_(runnable.kinds) | shard.kind.in_(runnable.kinds))
    return query


def jobs_before(front: Sequence[WaitingShard]) -> dict[str, int]:
    """Job → how many other jobs have a shard before its first one."""
    places: dict[str, int] = {}
    for shard in front:
        places.setdefault(shard.job_id, len(places))
    return places
