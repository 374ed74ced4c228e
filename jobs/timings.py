"""How long shards take, by kind and device: measured, never assumed."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import bindparam, delete, insert, select
from sqlalchemy.orm import Session

from jobs.queue_contract import SpeedView
from jobs.tables import TIMINGS, Timing

KEPT = 50  # newest timings of a kind on a device
ALIKE = 4  # shards that differ in size by at most this factor are compared
LEAST_ALIKE = 3
UNLIKE_MARGIN = 2.0  # what is read off shards of another size is so much less sure
MOST_DEVICE_CHARACTERS = 100

Range = tuple[float, float]  # seconds, at best and at worst


class Timed(NamedTuple):
    """A row of `Timing`."""

    kind: str
    device: str
    total: int
    unit: str
    seconds: float


def device_words(capabilities: Mapping[str, Any]) -> str | None:
    """What a worker computes on, as far as its speed goes; None if it does not tell."""
    device, name = capabilities.get("device"), capabilities.get("name")
    if not device:
        return None
    if str(device).startswith("cuda"):
        return str(name or device)[:MOST_DEVICE_CHARACTERS]
    threads = capabilities.get("threads")
    words = f"{device}, {threads} thread{'' if threads == 1 else 's'}" if threads else str(device)
    return words[:MOST_DEVICE_CHARACTERS]


def amount_of(total: int, image_count: int) -> int:
    """How much a shard has to do; what assembles images counts them."""
    return max(total or image_count, 1)


_ALIKE = (TIMINGS.c.kind == bindparam("kind"), TIMINGS.c.device == bindparam("device"))
_OLDEST_KEPT = select(TIMINGS.c.id).where(*_ALIKE).order_by(TIMINGS.c.id.desc()).offset(KEPT)
_DROP_OLD = delete(TIMINGS).where(*_ALIKE, TIMINGS.c.id <= _OLDEST_KEPT.limit(1).scalar_subquery())


def timing_of(kind: str, amount: int, device: str, unit: str, seconds: float) -> Timed:
    """That a shard of so much, of a job whose progress counts `unit`, took so long there."""
    return Timed(kind, device, amount, "images" if kind == "assemble" else unit, seconds)


def add_timings(session: Session, timings: Sequence[Timed]) -> None:
    """Keep what was measured; of each kind and device only the newest."""
    session.execute(insert(Timing), [timed._asdict() for timed in timings])
    for kind, device in {(timed.kind, timed.device) for timed in timings}:
        session.execute(_DROP_OLD, {"kind": kind, "device": device})


@dataclass
class Pace:
    """The measured times of some kinds of shards.

    Attributes:
        measured: kind → device → (amount, seconds) of single shards.
    """

    measured: Mapping[str, Mapping[str, list[tuple[int, float]]]]
    _known: dict[tuple[str, str | None, int], Range | None] = field(default_factory=dict)

    def seconds(self, kind: str, device: str | None, amount: int) -> Range | None:
        """How long a shard of so much takes there; from other devices where none is known there."""
        key = (kind, device, amount)
        if key not in self._known:
            self._known[key] = self._seconds(kind, device, amount)
        return self._known[key]

    def _seconds(self, kind: str, device: str | None, amount: int) -> Range | None:
        by_device = self.measured.get(kind, {})
        samples = by_device.get(device or "") or [
            each for all_ in by_device.values() for each in all_
        ]
        if not samples:
            return None
        alike = [each for each in samples if amount / ALIKE <= each[0] <= amount * ALIKE]
        if len(alike) >= LEAST_ALIKE:
            return _scaled(alike, amount, 1.0)
        return _scaled(alike or samples, amount, UNLIKE_MARGIN)


def _scaled(samples: list[tuple[int, float]], amount: int, margin: float) -> Range:
    """From the first to the ninth tenth of what others took for as much."""
    each = [seconds / size * amount for size, seconds in samples]
    if len(each) == 1:
        return each[0] / margin, each[0] * margin
    tenths = statistics.quantiles(each, n=10, method="inclusive")
    return tenths[0] / margin, tenths[-1] * margin


def read_pace(session: Session, kinds: Iterable[str]) -> Pace:
    """What was measured of shards of these kinds."""
    names = set(kinds)
    measured: dict[str, dict[str, list[tuple[int, float]]]] = {}
    if names:
        query = select(Timing.kind, Timing.device, Timing.total, Timing.seconds)
        for kind, device, total, seconds in session.execute(query.where(Timing.kind.in_(names))):
            measured.setdefault(kind, {}).setdefault(device, []).append((total, seconds))
    return Pace(measured)


def speeds(session: Session) -> list[SpeedView]:
    """Measured speeds, by kind and device."""
    found: dict[tuple[str, str, str], list[float]] = {}
    rows = select(Timing.kind, Timing.device, Timing.unit, Timing.total, Timing.seconds)
    for kind, device, unit, total, seconds in session.execute(rows):
        found.setdefault((kind, device, unit), []).append(total / max(seconds, 1e-3))
    views = []
    for (kind, device, unit), rates in sorted(found.items()):
        tenths = statistics.quantiles(rates, n=10, method="inclusive") if rates[1:] else rates * 9
        views.append(
            SpeedView(
                kind=kind,
                device=device,
                unit=unit,
                per_second=(tenths[0], statistics.median(rates), tenths[-1]),
                shards=len(rates),
            )
        )
    return views
