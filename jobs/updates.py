"""The updates stream as the web side reads it: what has changed of which job."""

from typing import NamedTuple, cast

from pydantic import ValidationError

from jobs.contract import JobUpdate
from jobs.redis_access import connect
from jobs.streams import UPDATES, entries_of


class UpdateEntry(NamedTuple):
    """One entry of the updates stream; `update` is None for a reset."""

    id: str
    update: JobUpdate | None


class UpdateReader:
    """Reads the updates stream, for one process."""

    def __init__(self, redis_url: str, block_seconds: float = 2) -> None:
        """Prepare a connection for blocking reads."""
        self._redis = connect(redis_url, block_seconds + 5)
        self._block_ms = int(block_seconds * 1000)

    def last_id(self) -> str:
        """Id of the newest entry, `0-0` if there is none."""
        newest = self._redis.xrevrange(UPDATES, count=1)
        return cast(bytes, newest[0][0]).decode() if newest else "0-0"

    def first_id(self) -> str | None:
        """Id of the oldest entry still there, None if there is none."""
        oldest = self._redis.xrange(UPDATES, count=1)
        return cast(bytes, oldest[0][0]).decode() if oldest else None

    def read(self, last_id: str) -> list[UpdateEntry]:
        """Block for entries after `last_id`; empty after a while."""
        return _updates(entries_of(self._redis.xread({UPDATES: last_id}, block=self._block_ms)))

    def between(self, after_id: str, until_id: str) -> list[UpdateEntry]:
        """Entries after `after_id` up to and with `until_id`."""
        reply = self._redis.xrange(UPDATES, min=f"({after_id}", max=until_id)
        return _updates(entries_of([(UPDATES, reply)]))


def _updates(entries: list[tuple[str, bytes]]) -> list[UpdateEntry]:
    return [UpdateEntry(i, _update(data)) for i, data in entries]


def _update(data: bytes) -> JobUpdate | None:
    """None, which is a reset, also for what another version says."""
    try:
        return JobUpdate.model_validate_json(data)
    except ValidationError:
        return None
