"""When jobs will start and end: the queue played forward at measured speeds.

Twice: at the best of what was measured, and at the worst. Both plays send the shards that wait in
their order to the slots that are online. Nothing is assumed where nothing was measured: then there
is no estimate, but the reason for that.
"""

import heapq
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from jobs.contract import JobStatus
from jobs.queue_order import WaitingShard, can_run
from jobs.tables import Job, Shard
from jobs.timings import Pace, amount_of, read_pace

BEST_MARGIN, WORST_MARGIN = 0.9, 1.2  # what no play knows: loading, other jobs that come
LATENCY_SECONDS = 2.0

Moments = tuple[datetime, datetime]


@dataclass(frozen=True)
class Forecast:
    """When a job starts (None: it has) and ends, each from the best to the worst case."""

    start: Moments | None
    end: Moments


@dataclass(frozen=True)
class OnlineSlot:
    """A slot of a worker that takes work."""

    worker: str
    kinds: frozenset[str] | None
    device: str | None


@dataclass
class _Play:
    """One play: when each job's first shard starts, and its last one ends, in seconds from now."""

    starts: dict[str, float] = field(default_factory=dict)
    ends: dict[str, float] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)  # job → the kind that was never measured


@dataclass(frozen=True)
class _Rest:
    """What of a job comes after its waiting shards: the kind, and how much."""

    kind: str
    amount: int


@dataclass(frozen=True)
class _Running:
    """A shard that runs, and the seconds that it still needs, if they are known."""

    job_id: str
    worker: str
    left: tuple[float, float] | None
    kind: str


def forecast(
    session: Session, front: Sequence[WaitingShard], slots: Sequence[OnlineSlot], now: datetime
) -> tuple[Mapping[str, Forecast], Mapping[str, str]]:
    """The forecasts of all jobs with a shard that runs or stands in `front`.

    A job of which some waiting shards are not in `front` is left out.

    Returns:
        Job → forecast, and job → kind of shard that was never measured, of the others.
    """
    held = session.scalars(
        select(Shard).where(
            Shard.finished_at.is_(None),
            Shard.holder.is_not(None),
            Shard.status == JobStatus.RUNNING,
        )
    ).all()
    jobs = {shard.job_id for shard in front} | {shard.job_id for shard in held}
    rests = _rests(session, jobs)
    kinds = {shard.kind for shard in front} | {shard.kind for shard in held}
    kinds |= {rest.kind for rest in rests.values()}
    pace = read_pace(session, kinds)
    devices = {slot.worker: slot.device for slot in slots}
    running = [_running(shard, pace, devices.get(str(shard.holder)), now) for shard in held]
    best, worst = (_play(front, slots, running, rests, pace, case) for case in (0, 1))
    has_started = {each.job_id for each in running} | _started(session, jobs)
    found: dict[str, Forecast] = {}
    known = jobs - best.unknown.keys() - worst.unknown.keys()
    for job_id in known - _jobs_beyond(session, front):
        if job_id in worst.ends:
            start = None if job_id in has_started else (best.starts[job_id], worst.starts[job_id])
            found[job_id] = Forecast(
                start and _moments(now, start),
                _moments(now, (best.ends[job_id], worst.ends[job_id])),
            )
    return found, worst.unknown


def _moments(now: datetime, seconds: tuple[float, float]) -> Moments:
    best, worst = seconds
    return (
        now + timedelta(seconds=best * BEST_MARGIN),
        now + timedelta(seconds=max(worst, best) * WORST_MARGIN + LATENCY_SECONDS),
    )


def _rests(session: Session, jobs: set[str]) -> dict[str, _Rest]:
    """What assembles each of these jobs, where something does."""
    rows = session.execute(
        select(Shard.job_id, Shard.kind, Shard.total, Shard.image_count).where(
            Shard.job_id.in_(jobs), Shard.status == JobStatus.QUEUED, Shard.kind == "assemble"
        )
    )
    return {job: _Rest(kind, amount_of(total, images)) for job, kind, total, images in rows}


def _jobs_beyond(session: Session, front: Sequence[WaitingShard]) -> set[str]:
    """Jobs of which shards wait behind the end of `front`: those of its last shards may."""
    ends = {(shard.priority, shard.submitter): shard.job_id for shard in front}
    inside = Counter(shard.job_id for shard in front)
    waiting = session.execute(
        select(Shard.job_id, func.count())
        .where(
            Shard.job_id.in_(set(ends.values())),
            Shard.status == JobStatus.QUEUED,
            Shard.sent_to.is_(None),
            Shard.kind != "assemble",
        )
        .group_by(Shard.job_id)
    )
    return {job_id for job_id, count in waiting if count > inside[job_id]}


def _started(session: Session, jobs: set[str]) -> set[str]:
    return set(
        session.scalars(select(Job.id).where(Job.id.in_(jobs), Job.status == JobStatus.RUNNING))
    )


def _running(shard: Shard, pace: Pace, device: str | None, now: datetime) -> _Running:
    """What is left of a shard that runs: by what others took, else by its own progress."""
    share_left = 1 - shard.done / shard.total if shard.total else 1.0
    known = pace.seconds(shard.kind, device, amount_of(shard.total, shard.image_count))
    if known is not None:
        left = (known[0] * share_left, known[1] * share_left)
    elif shard.started_at is not None and shard.done > 0 and share_left > 0:
        spent = max((now - shard.started_at).total_seconds(), 0.0)
        own = spent * share_left / (1 - share_left)
        left = (own / 2, own * 2)  # its beginning, loading included, tells little
    else:
        return _Running(shard.job_id, str(shard.holder), None, shard.kind)
    return _Running(shard.job_id, str(shard.holder), left, shard.kind)


def _play(
    front: Sequence[WaitingShard],
    slots: Sequence[OnlineSlot],
    running: Sequence[_Running],
    rests: Mapping[str, _Rest],
    pace: Pace,
    case: int,
) -> _Play:
    """Send all of `front` in its order; `case` 0 is the best one, 1 the worst."""
    play = _Play()
    busy: dict[str, float] = {}
    for each in running:
        if each.left is None:
            play.unknown[each.job_id] = each.kind
            busy[each.worker] = float("inf")
            continue
        play.ends[each.job_id] = max(play.ends.get(each.job_id, 0.0), each.left[case])
        busy[each.worker] = max(busy.get(each.worker, 0.0), each.left[case])
    free = _Slots(slots, busy)
    blocked: str | None = None
    for shard in front:
        blocked = blocked or _send(play, free, shard, pace, case)
        if blocked:
            play.unknown.setdefault(shard.job_id, blocked)
    for job_id, rest in rests.items():
        seconds = pace.seconds(rest.kind, None, rest.amount)
        if seconds is None:
            play.unknown.setdefault(job_id, rest.kind)
        elif job_id in play.ends:
            waits = free.mean_seconds if case else 0.0
            play.ends[job_id] += seconds[case] + waits
    return play


def _send(play: _Play, free: "_Slots", shard: WaitingShard, pace: Pace, case: int) -> str | None:
    """Play one shard; the kind that blocks what follows, where its time is not known."""
    slot = free.take(shard)
    if slot is None:
        return shard.kind
    at, number = slot
    seconds = pace.seconds(shard.kind, free.device(number), amount_of(shard.total, shard.images))
    if seconds is None or at == float("inf"):
        return shard.kind
    end = at + seconds[case]
    free.give_back(number, end, seconds[case])
    play.starts.setdefault(shard.job_id, at)
    play.ends[shard.job_id] = max(play.ends.get(shard.job_id, 0.0), end)
    return None


class _Slots:
    """When each slot is free again; slots of the same kinds share a heap."""

    def __init__(self, slots: Sequence[OnlineSlot], busy: Mapping[str, float]) -> None:
        self._slots = slots
        self._heaps: dict[frozenset[str] | None, list[tuple[float, int]]] = {}
        for number, slot in enumerate(slots):
            heap = self._heaps.setdefault(slot.kinds, [])
            heapq.heappush(heap, (busy.get(slot.worker, 0.0), number))
        self._seconds, self._shards = 0.0, 0

    def device(self, number: int) -> str | None:
        return self._slots[number].device

    def take(self, shard: WaitingShard) -> tuple[float, int] | None:
        """The slot that can run this shard first, and when; None if none can."""
        able = [
            heap
            for kinds, heap in self._heaps.items()
            if heap and can_run(kinds, shard.job_kind, shard.kind)
        ]
        return heapq.heappop(min(able)) if able else None

    def give_back(self, number: int, at: float, seconds: float) -> None:
        heapq.heappush(self._heaps[self._slots[number].kinds], (at, number))
        self._seconds, self._shards = self._seconds + seconds, self._shards + 1

    @property
    def mean_seconds(self) -> float:
        """How long the shards took that were sent, on average."""
        return self._seconds / self._shards if self._shards else 0.0
