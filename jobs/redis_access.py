"""How every program reaches Redis: with a password, over TLS, and told at once when it cannot be.

`rediss://:PASSWORD@HOST:PORT/0?ssl_ca_certs=/path/ca.pem` is TLS; redis-py's own query parameters
(`ssl_cert_reqs`, `ssl_certfile`, `ssl_keyfile`, `ssl_check_hostname`) hold for Celery too.
"""

import logging
import re
import socket
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError
from redis.retry import Retry

log = logging.getLogger(__name__)

CHECK_SECONDS = 3.0
PROBE_SECONDS = 1.0
DEFAULT_PORT = 6379
TLS_SCHEME = "rediss"
FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")

_PASSWORD = re.compile(r"(?P<before>\w[\w+.-]*://[^/\s:@]*):[^/\s]+@")


class RedisRefusedError(Exception):
    """Redis cannot be reached with this URL, however long one waits."""


def connect(redis_url: str, timeout_seconds: float) -> redis.Redis:
    """A client that never retries by itself: every caller here knows better what to do."""
    return redis.Redis.from_url(
        redis_url,
        socket_timeout=timeout_seconds,
        socket_connect_timeout=min(5.0, timeout_seconds),
        health_check_interval=25,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
    )


def celery_tls(redis_url: str) -> dict[str, Any] | None:
    """What Celery must be told of TLS beside the URL, which alone does not switch it on."""
    parts = urlsplit(redis_url)
    if parts.scheme != TLS_SCHEME or any(key.startswith("ssl_") for key in parse_qs(parts.query)):
        return None
    return {"ssl_cert_reqs": ssl.CERT_REQUIRED}


def masked(url: str) -> str:
    """The URL, or a text with URLs in it, with `***` for each password."""
    return _PASSWORD.sub(r"\g<before>:***@", url)


def check_redis(redis_url: str) -> bool:
    """Whether Redis answers now; False while it is away, which may end by itself.

    Raises:
        RedisRefusedError: it will never answer to this URL: a wrong password, a certificate that
            is not accepted, no TLS on the other side, or no URL of a Redis.
    """
    try:
        _check_files(redis_url)
        client = connect(redis_url, CHECK_SECONDS)
    except ValueError as error:
        raise RedisRefusedError(f"DARKROOM_REDIS_URL {masked(redis_url)}: {error}") from error
    try:
        client.ping()
    except (AuthenticationError, NoPermissionError) as error:
        raise RedisRefusedError(
            f"Redis at {masked(redis_url)} refuses user or password: {error}"
        ) from error
    except RedisError as error:
        why = _certificate_refusal(error) or _other_protocol(redis_url)
        if why is not None:
            raise RedisRefusedError(f"Redis at {masked(redis_url)}: {why}") from error
        log.warning("Redis at %s is away, and is asked again: %s", masked(redis_url), error)
        return False
    finally:
        client.close()
    return True


def _check_files(redis_url: str) -> None:
    query = parse_qs(urlsplit(redis_url).query)
    for name in FILES:
        for path in query.get(name, ()):
            if not Path(path).is_file():
                raise ValueError(f"{name} names {path!r}, which is no file")


def _certificate_refusal(error: BaseException) -> str | None:
    """Why TLS cannot work here, if that is what an error is about."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not accepted ({cause.verify_message}); see ssl_ca_certs"
        if isinstance(cause, ssl.SSLError) and "CERTIFICATE_REQUIRED" in str(cause.reason):
            return "it asks for a certificate of ours: give ssl_certfile and ssl_keyfile"
        cause = cause.__cause__ or cause.__context__
    return None


def _other_protocol(redis_url: str) -> str | None:
    """Whether the port speaks, without TLS or with it, the other way than the URL says."""
    parts = urlsplit(redis_url)
    is_tls = parts.scheme == TLS_SCHEME
    try:
        with socket.create_connection(
            (parts.hostname or "localhost", parts.port or DEFAULT_PORT), PROBE_SECONDS
        ) as plain:
            if is_tls:
                plain.sendall(b"PING\r\n")
                if plain.recv(1) in (b"+", b"-"):
                    return "it does not speak TLS on this port: the URL begins with redis://"
                return None
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE  # nothing is said over it
            with context.wrap_socket(plain):
                return "it speaks TLS on this port: the URL begins with rediss://"
    except OSError:
        return None
