"""`darkroom doctor`: is everything as it must be, and what is to be done where it is not.

Every check stands alone: a part that is down is a finding, and the others are looked at all the
same.
"""

from collections.abc import Iterator

from darkroom.doctor.artifact_checks import check_artifacts
from darkroom.doctor.database_checks import check_database
from darkroom.doctor.findings import Finding, Level, guarded
from darkroom.doctor.host_checks import check_host
from darkroom.doctor.redis_checks import check_redis
from darkroom.doctor.work_checks import check_work
from jobs.settings import DatabaseSettings

__all__ = ["Finding", "Level", "examine"]


def examine(settings: DatabaseSettings) -> Iterator[Finding]:
    """All findings, part by part, each as soon as it is there."""
    yield from guarded("host", check_host(settings))
    yield from guarded("database", check_database(settings))
    yield from guarded("redis", check_redis(settings))
    yield from guarded("artifacts", check_artifacts(settings))
    yield from guarded("work", check_work(settings))
