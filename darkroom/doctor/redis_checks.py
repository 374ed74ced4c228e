"""Redis: reachable, new enough, keeps what it is told, and is no open door."""

import time
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from darkroom.doctor.findings import Finding, clock_offset, ok, problem, warning
from jobs.redis_access import RedisRefusedError, connect
from jobs.redis_access import check_redis as ask_redis
from jobs.settings import DatabaseSettings
from jobs.streams import GROUP, REPORTS, StreamError

OLDEST = (6, 2)
BACKLOG = 10_000  # unread messages


def check_redis(settings: DatabaseSettings) -> Iterator[Finding]:
    """Whether it can be the road between dispatcher and workers."""
    try:
        ask_redis(settings.redis_url)
    except RedisRefusedError as error:
        yield problem("redis", str(error), "correct DARKROOM_REDIS_URL")
        return
    client = connect(settings.redis_url, 3)
    try:
        began = time.time()
        info: dict[str, Any] = client.info()
        yield ok("redis", f"answers within {(time.time() - began) * 1000:.0f} ms")
        seconds, microseconds = client.time()
        yield clock_offset(
            "redis", seconds + microseconds / 1e6 - time.time(), "nothing depends on it but logs"
        )
    except StreamError as error:
        yield problem(
            "redis",
            f"it does not answer: {error}",
            "start it; until then jobs are taken, and none is run",
        )
        return
    yield _version(str(info["redis_version"]))
    yield _persistence(info)
    yield _eviction(info)
    yield check_door(settings.redis_url)
    yield from _backlog(client)
    client.close()


def _version(version: str) -> Finding:
    numbers = tuple(int(part) for part in version.split(".")[:2])
    if numbers < OLDEST:
        return problem("redis", f"it is version {version}", "install Redis 6.2 or newer")
    return ok("redis", f"version {version}")


def _persistence(info: dict[str, Any]) -> Finding:
    if info.get("aof_last_write_status", "ok") != "ok":
        return problem("redis", "it cannot write its log", "make room on its disk")
    if not info.get("aof_enabled"):
        return warning(
            "redis",
            "it keeps nothing on disk: after a restart, waiting messages are sent again",
            "set `appendonly yes` in its configuration",
        )
    return ok("redis", "keeps an append-only log")


def _eviction(info: dict[str, Any]) -> Finding:
    policy = str(info.get("maxmemory_policy", "unknown"))
    if policy != "noeviction":
        return problem(
            "redis",
            f"its maxmemory-policy is {policy}: it throws messages away when it is full",
            "set `maxmemory-policy noeviction`",
        )
    return ok("redis", "never throws anything away (noeviction)")


def check_door(redis_url: str) -> Finding:
    """Who can reach it, as far as its URL tells."""
    parts = urlsplit(redis_url)
    if parts.scheme == "unix" or _is_loopback(parts.hostname or "localhost"):
        return ok("redis", "listens to this computer, as far as its URL tells")
    if not parts.password:
        return problem(
            "redis",
            f"{parts.hostname} is reached without a password: whoever reaches it can run jobs",
            "set `requirepass`, and put the password into DARKROOM_REDIS_URL",
        )
    if parts.scheme != "rediss":
        return warning(
            "redis",
            "its password and all messages go over the network in clear",
            "use TLS (rediss://), or keep it inside a network of your own",
        )
    return ok("redis", "is reached by TLS and a password")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _backlog(client: Any) -> Iterator[Finding]:
    length = client.xlen(REPORTS)
    groups = {group["name"].decode() for group in client.xinfo_groups(REPORTS)} if length else set()
    if length > BACKLOG:
        yield problem(
            "redis",
            f"{length} messages of workers wait for the dispatcher",
            "see whether it runs, and what its log says",
        )
    elif not length or GROUP in groups:
        yield ok("redis", f"{length} messages of workers wait for the dispatcher")
    else:
        yield warning("redis", "no dispatcher has read from it yet", "start `darkroom dispatcher`")
