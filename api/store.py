"""The artifact store over HTTP, for workers that reach neither its folder nor its bucket.

It is opened by a worker key alone, which opens nothing else (darkroom.guard). A worker reads what
jobs are made with, and writes files of its attempts; whole folders are the dispatcher's.
"""

import hashlib
import re
from typing import BinaryIO

from flask import Response, request
from pydantic import Field
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wsgi import wrap_file

from api.parsing import parse_query
from api.responses import WholeList, json_response
from api.routing import STORE, Route
from api.uploads import BINARY, OCTETS
from jobs import errors
from jobs.artifacts import ArtifactStore
from jobs.contract import Contract
from jobs.digests import CHUNK_BYTES, CONTENT_DIGEST, digest_header, parse_digest

READABLE = ("jobs", "checkpoints", "datasets", "uploads")
WRITABLE = re.compile(r"jobs/[^/]+/[^/]+/[^/]+/[^/]+")  # job, shard, attempt, file
PART = re.compile(r"[A-Za-z0-9._@=+-]{1,200}")
DIGEST_HELP = "The SHA-256 of the body, `sha-256=:BASE64:` (RFC 9530)."


class FolderQuery(Contract):
    """What to list."""

    folder: str = Field(description="Path of a folder: `jobs/JOB/SHARD`.")


class NameList(WholeList):
    """Names of the files and folders directly in a folder, sorted; none if it is absent."""

    items: list[str]


class StoredFile(Contract):
    """A file that was taken."""

    path: str
    size_bytes: int
    sha256: str


class DeletedFile(Contract):
    """A file that is there no more, or never was."""

    path: str


class StoreRoutes:
    """Whole files by their path, for workers."""

    def __init__(self, artifacts: ArtifactStore, max_file_bytes: int) -> None:
        """Serve these files; take none that is larger."""
        self._artifacts = artifacts
        self._max_file_bytes = max_file_bytes

    @Route(
        "GET",
        STORE,
        "List a folder of the artifact store. For workers: needs a worker key",
        NameList,
        query=FolderQuery,
        errors=(errors.ValidationError, errors.ArtifactPathError, errors.ArtifactStoreError),
    )
    def list_stored(self) -> Response:
        """What lies directly in it."""
        folder = parse_query(FolderQuery).folder
        check_readable(folder)
        return json_response(NameList(items=self._artifacts.names(folder)))

    @Route(
        "GET",
        f"{STORE}/<path:path>",
        "Read a file of the artifact store. For workers: needs a worker key",
        OCTETS,
        response_headers={CONTENT_DIGEST: DIGEST_HELP},
        errors=(
            errors.ArtifactPathError,
            errors.ArtifactFileNotFoundError,
            errors.ArtifactStoreError,
        ),
    )
    def read_stored(self, path: str) -> Response:
        """The whole file, part by part."""
        check_readable(path)
        file = self._artifacts.open(path)
        if request.method == "HEAD":
            file.close()
            return Response(mimetype=OCTETS)
        sha256, size = _hashed(file)
        file.seek(0)
        body = wrap_file(request.environ, file, CHUNK_BYTES)  # closes it
        response = Response(body, mimetype=OCTETS, direct_passthrough=True)
        response.content_length = size
        response.headers[CONTENT_DIGEST] = digest_header(sha256)
        response.cache_control.no_store = True
        return response

    @Route(
        "PUT",
        f"{STORE}/<path:path>",
        "Publish a file of an attempt, whole. For workers: needs a worker key",
        StoredFile,
        body={OCTETS: BINARY},
        headers={CONTENT_DIGEST: DIGEST_HELP},
        errors=(
            errors.ArtifactPathError,
            errors.UploadTooLargeError,
            errors.ArtifactFileChangedError,
            errors.ArtifactStoreError,
        ),
    )
    def write_stored(self, path: str) -> Response:
        """Taken under another name, checked, and then renamed."""
        check_writable(path)
        request.max_content_length = self._max_file_bytes
        meant = parse_digest(request.headers.get(CONTENT_DIGEST))
        with self._artifacts.writing(path) as file:
            sha256, size = self._receive(file)
            if meant is None or meant != sha256:
                raise errors.ArtifactFileChangedError(
                    f"{path} arrived as {size} bytes with {CONTENT_DIGEST} "
                    f"{digest_header(sha256)}, which the request must say, not "
                    f"{request.headers.get(CONTENT_DIGEST)!r}",
                    path=path,
                )
        return json_response(StoredFile(path=path, size_bytes=size, sha256=sha256.hex()))

    @Route(
        "DELETE",
        f"{STORE}/<path:path>",
        "Delete a file of an attempt. For workers: needs a worker key",
        DeletedFile,
        errors=(errors.ArtifactPathError, errors.ArtifactStoreError),
    )
    def delete_stored(self, path: str) -> Response:
        """Absent is deleted."""
        check_writable(path)
        self._artifacts.delete(path)
        return json_response(DeletedFile(path=path))

    def _receive(self, file: BinaryIO) -> tuple[bytes, int]:
        hashing, size = hashlib.sha256(), 0
        try:
            while chunk := request.stream.read(CHUNK_BYTES):
                hashing.update(chunk)
                size += len(chunk)
                file.write(chunk)
        except RequestEntityTooLarge as error:
            raise errors.UploadTooLargeError(
                f"the file is over the limit of {self._max_file_bytes} bytes",
                max_upload_bytes=self._max_file_bytes,
            ) from error
        return hashing.digest(), size


def check_readable(path: str) -> None:
    """Let workers read what jobs are made with, and what they made.

    Raises:
        ArtifactPathError: it is something else.
    """
    parts = path.split("/")
    if any(not PART.fullmatch(part) or not part.strip(".") for part in parts):
        raise errors.ArtifactPathError(
            f"path {path!r} is none of the artifact store's: letters, digits and ._@=+- between "
            "single slashes",
            path=path,
        )
    if parts[0] not in READABLE or len(parts) == 1:
        raise errors.ArtifactPathError(
            f"path {path!r} is not for workers: they read below {', '.join(READABLE)}", path=path
        )


def check_writable(path: str) -> None:
    """Let workers write and delete the files of attempts.

    Raises:
        ArtifactPathError: it is something else.
    """
    check_readable(path)
    if not WRITABLE.fullmatch(path):
        raise errors.ArtifactPathError(
            f"path {path!r} is not for workers to change: they write jobs/JOB/SHARD/ATTEMPT/FILE",
            path=path,
        )


def _hashed(file: BinaryIO) -> tuple[bytes, int]:
    """SHA-256 and length of a file."""
    hashing = hashlib.sha256()
    while chunk := file.read(CHUNK_BYTES):
        hashing.update(chunk)
    return hashing.digest(), file.tell()
