"""Device time that submitters have used of late: what the fair share goes by.

Usage decays by half in `HALF_LIFE`. The dispatcher adds what shards use as they run; the table is
its memory, so that a restart forgets nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from jobs.database import changed
from jobs.tables import USAGES, Usage

HALF_LIFE = timedelta(hours=4)


@dataclass(frozen=True)
class Share:
    """What a submitter has used of late, in device-seconds, and when a shard was last sent."""

    seconds: float = 0.0
    served_at: datetime | None = None


def decayed(seconds: float, since: datetime, now: datetime) -> float:
    """What is left now of a usage of then; a clock that was set back makes it no larger."""
    age = max(now - since, timedelta(0))
    return float(seconds * 0.5 ** (age / HALF_LIFE))


def shares_of(session: Session, submitters: Iterable[str], now: datetime) -> Mapping[str, Share]:
    """The share of each of these submitters."""
    names = set(submitters)
    known = {
        submitter: Share(decayed(seconds, since, now), served_at)
        for submitter, seconds, since, served_at in session.execute(_USED, {"names": list(names)})
    }
    return {name: known.get(name, Share()) for name in names}


_USED = select(
    *(USAGES.c.submitter, USAGES.c.device_seconds, USAGES.c.updated_at, USAGES.c.served_at)
).where(USAGES.c.submitter.in_(bindparam("names", expanding=True)))


def usage_of_all(session: Session, now: datetime, least: float = 1.0) -> list[tuple[str, float]]:
    """Submitter and device-seconds of late, most first; who has used under `least` is left out."""
    rows = session.scalars(select(Usage))
    used = [(row.submitter, decayed(row.device_seconds, row.updated_at, now)) for row in rows]
    return sorted((each for each in used if each[1] >= least), key=lambda each: -each[1])


def add_usage(session: Session, seconds: Mapping[str, float], now: datetime) -> None:
    """These submitters have used so many device-seconds more."""
    for submitter, more in seconds.items():
        row = _row(session, submitter, now)
        row.device_seconds = decayed(row.device_seconds, row.updated_at, now) + more
        row.updated_at = now


def note_served(session: Session, submitters: Iterable[str], now: datetime) -> None:
    """A shard of each of these submitters is sent."""
    for submitter in set(submitters):
        if not changed(session, _SERVED, {"whose": submitter, "now": now}):
            _row(session, submitter, now).served_at = now


_SERVED = (
    update(USAGES)
    .where(USAGES.c.submitter == bindparam("whose"))
    .values(served_at=bindparam("now", type_=USAGES.c.served_at.type))
)


def _row(session: Session, submitter: str, now: datetime) -> Usage:
    row = session.get(Usage, submitter)
    if row is None:
        row = Usage(submitter=submitter, device_seconds=0.0, updated_at=now)
        session.add(row)
        session.flush()
    return row
