"""Files of an artifact store that a `darkroom web` serves over HTTP, for workers elsewhere.

GET, PUT and DELETE name whole files, so that each can be repeated without harm: a connection that
breaks, an answer 5xx and a body that arrives damaged are tried again for a while, which spans a
restart of the web program.
"""

import hashlib
import io
import logging
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import httpx
from fsspec.spec import AbstractFileSystem

from jobs.digests import CHUNK_BYTES, CONTENT_DIGEST, digest_header, parse_digest

log = logging.getLogger(__name__)

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 10.0  # without one byte
RETRY_SECONDS = 15.0  # after that no new try begins
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.25, 2.0
NOT_FOUND = "artifact_file_not_found"
TRANSIENT = ("artifact_file_changed", "request_timeout", "too_many_requests")  # beside 5xx
PROBLEM_MEDIA_TYPE = "application/problem+json"

T = TypeVar("T")


class _TryAgainError(OSError):
    """What may be otherwise at the next try."""


class HttpFiles(AbstractFileSystem):  # type: ignore[misc]  # fsspec is untyped
    """What an artifact store asks of fsspec, over HTTP; every failure is an OSError."""

    protocol = "darkroom-http"
    cachable = False

    def __init__(self, url: str, key: str, retry_seconds: float = RETRY_SECONDS) -> None:
        """Speak to the store at `url` (…/api/v1/store) with a worker key.

        Raises:
            ValueError: the URL holds more than that, or there is no key.
        """
        super().__init__()
        parts = urlsplit(url)
        if "@" in parts.netloc or parts.query or parts.fragment or not parts.hostname:
            raise ValueError(
                "an artifact store over HTTP is https://HOST/api/v1/store, without user, query or "
                "fragment; the key goes into DARKROOM_ARTIFACTS_KEY"
            )
        if not key:
            raise ValueError(
                f"the artifact store at {url} needs a worker key: set DARKROOM_ARTIFACTS_KEY to "
                "one of those that DARKROOM_WORKER_KEYS lists on its side"
            )
        self._url = url.rstrip("/")
        self._retry_seconds = retry_seconds
        self._client = httpx.Client(
            headers={"Authorization": f"Bearer {key}"},
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
        )
        weakref.finalize(self, self._client.close)

    def cat_file(self, path: str, start: Any = None, end: Any = None, **_: Any) -> bytes:
        """The whole file."""
        return self._ask("GET", path)[start:end]

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **_: Any) -> None:
        """Publish the file whole."""
        self._ask("PUT", path, value)

    def exists(self, path: str, **_: Any) -> bool:
        """Whether there is such a file."""
        try:
            self._ask("HEAD", path)
        except FileNotFoundError:
            return False
        return True

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:
        """The names in a folder; nothing else is known of them."""
        names = self._again(lambda: self._names(path.strip("/")))
        return [{"name": name, "type": "other"} for name in names] if detail else names

    def rm(self, path: str, recursive: bool = False, maxdepth: int | None = None) -> None:
        """Delete a file; absent is deleted."""
        self._ask("DELETE", path)

    def _ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        return self._again(lambda: self._exchange(method, path, body))

    def _again(self, exchange: Callable[[], T]) -> T:
        """Do it until it works, or a while has passed."""
        deadline = time.monotonic() + self._retry_seconds
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                return exchange()
            except (_TryAgainError, httpx.RequestError) as error:
                if time.monotonic() + pause > deadline:
                    raise OSError(f"{self._url}: {error or type(error).__name__}") from error
                log.info("the artifact store will be asked again: %s", error)
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def _exchange(self, method: str, path: str, body: bytes | None) -> bytes:
        headers, content = {}, None
        if body is not None:
            sha256 = hashlib.sha256(body).digest()
            headers = {CONTENT_DIGEST: digest_header(sha256), "Content-Length": str(len(body))}
            content = _chunks(body)  # and not a second whole copy
        with self._respond(method, f"/{quote(path)}", headers=headers, content=content) as response:
            received, hashing = io.BytesIO(), hashlib.sha256()
            for chunk in response.iter_bytes(CHUNK_BYTES):
                received.write(chunk)
                hashing.update(chunk)
            meant = parse_digest(response.headers.get(CONTENT_DIGEST))
            if method == "GET" and meant != hashing.digest():
                raise _TryAgainError(f"{path} arrived damaged")
            return received.getvalue()

    def _names(self, folder: str) -> list[str]:
        with self._respond("GET", "", params={"folder": folder}) as response:
            response.read()
            try:
                return [str(name) for name in response.json()["items"]]
            except (ValueError, KeyError, TypeError) as error:
                raise OSError(f"{self._url} is no artifact store: no list of names") from error

    @contextmanager
    def _respond(self, method: str, path: str, **given: Any) -> Iterator[httpx.Response]:
        """The answer, if it is a good one, not yet read.

        Raises:
            FileNotFoundError: the store says that there is no such file.
            _TryAgainError, httpx.RequestError: it may be otherwise at the next try.
            OSError: it is refused.
        """
        with self._client.stream(method, self._url + path, **given) as response:
            if response.is_success:
                yield response
                return
            response.read()
            code, detail = _problem(response)
            said = f"{response.status_code} {code}: {detail}"
            if response.is_server_error or code in TRANSIENT:
                raise _TryAgainError(said)
            if code == NOT_FOUND or (method == "HEAD" and _is_absent(response)):
                raise FileNotFoundError(f"{self._url}{path}: {detail}")
            if response.is_redirect:
                said += f"; it points to {response.headers.get('Location')}"
            raise PermissionError(f"{self._url} refused {method}: {said}")


def refusal_of(url: str, key: str) -> str | None:
    """Why the store at `url` will never open to this key; None if it does, or is away."""
    try:
        HttpFiles(url, key, retry_seconds=0).ls("jobs/none")
    except (ValueError, PermissionError) as error:
        return str(error)
    except OSError as error:
        log.warning("the artifact store is away, and is asked again: %s", error)
    return None


def _chunks(body: bytes) -> Iterator[bytes]:
    view = memoryview(body)
    for start in range(0, len(body), CHUNK_BYTES):
        yield bytes(view[start : start + CHUNK_BYTES])


def _problem(response: httpx.Response) -> tuple[str, str]:
    """Code and detail of a problem; of another answer, that it is none."""
    try:
        problem = response.json()
        return str(problem["code"]), str(problem["detail"])
    except (ValueError, KeyError, TypeError):
        return "unknown_answer", f"{response.reason_phrase} (is this an artifact store's URL?)"


def _is_absent(response: httpx.Response) -> bool:
    """The answer to HEAD has no body: that it comes from the API, its media type shows."""
    media_type = response.headers.get("Content-Type", "")
    return response.status_code == httpx.codes.NOT_FOUND and media_type == PROBLEM_MEDIA_TYPE
