"""Uploads: written to disk part by part, never over the limit."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from flask import request
from pydantic import Field
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from api.errors import FieldProblem, InvalidFieldsError
from api.parsing import parse_fields, parse_query
from jobs.contract import NO_NUL, Contract
from jobs.errors import UploadTooLargeError

MULTIPART = "multipart/form-data"
OCTETS = "application/octet-stream"
PNG = "image/png"
MULTIPART_OVERHEAD = 2**16  # bytes around the files: boundaries, headers, the name
MAX_NAME_CHARACTERS = 200
MAX_PICTURE_BYTES = 40 * 2**20  # the collage of 10,000 faces has 23 MB when nothing packs it
BINARY = {"type": "string", "contentMediaType": OCTETS}
PICTURE = {"type": "string", "contentMediaType": PNG}
NAME = {"type": "string", "maxLength": MAX_NAME_CHARACTERS}


class UploadFields(Contract):
    """What can be said of an upload."""

    name: str | None = Field(
        None,
        min_length=1,
        max_length=MAX_NAME_CHARACTERS,
        pattern=NO_NUL,
        description="A name for people; that of the file if absent.",
    )


def multipart_schema(required: str, *optional: str) -> dict[str, Any]:
    """JSON Schema of a form with these files and a name."""
    properties = {name: BINARY for name in (required, *optional)} | {"name": NAME}
    return {"type": "object", "required": [required], "properties": properties}


@contextmanager
def upload_folder(max_bytes: int) -> Iterator[Path]:
    """A folder for an upload of at most `max_bytes`, gone with this context.

    A body that says it is longer is not read; one that says nothing is counted while it is read.

    Raises:
        UploadTooLargeError: it is over the limit.
    """
    overhead = MULTIPART_OVERHEAD if request.mimetype == MULTIPART else 0
    request.max_content_length = max_bytes + overhead
    with tempfile.TemporaryDirectory(prefix="darkroom-upload-") as folder:
        try:
            yield Path(folder)
        except RequestEntityTooLarge as error:
            raise _too_large(max_bytes) from error


def require_media_type(*allowed: str) -> None:
    """Refuse another Content-Type than these.

    Raises:
        UnsupportedMediaType: it is another.
    """
    if request.mimetype not in allowed:
        raise UnsupportedMediaType(
            f"the Content-Type must be {' or '.join(allowed)}, not {request.mimetype or 'absent'}"
        )


def save_body(path: Path) -> str | None:
    """Write the body to `path`; gives the name that the query says."""
    name = parse_query(UploadFields).name
    with path.open("wb") as file:
        shutil.copyfileobj(request.stream, file)
    return name


def save_file(field: str, path: Path) -> bool:
    """Write a form's file to `path`; False if the form has none of this name."""
    upload = request.files.get(field)
    if upload is None:
        return False
    upload.save(path)
    return True


def picture_body(max_bytes: int = MAX_PICTURE_BYTES) -> bytes:
    """A PNG that is the body, or the form's `file`.

    Raises:
        UnsupportedMediaType: it is sent as something else.
        InvalidFieldsError: the form has no `file`.
        UploadTooLargeError: it has more than `max_bytes`, or than MAX_PICTURE_BYTES.
    """
    require_media_type(MULTIPART, PNG)
    limit = min(max_bytes, MAX_PICTURE_BYTES)
    with upload_folder(limit):
        upload = request.files.get("file")
        if request.mimetype == PNG:
            content = request.get_data(cache=False)
        elif upload is not None:
            content = upload.read()
        else:
            raise missing_file("file", "a PNG")
    if len(content) > limit:
        raise _too_large(limit)
    return content


def missing_file(field: str, allowed: str) -> InvalidFieldsError:
    """The error of a form without the file that it must have."""
    message = f"{field} is missing: it must be {allowed}"
    return InvalidFieldsError([FieldProblem(field=field, message=message, allowed=allowed)])


def form_name(field: str) -> str | None:
    """The name that the form or the query says, else that of this file.

    Raises:
        InvalidFieldsError: there is another field, or the name is too long.
    """
    given = parse_fields(UploadFields, request.args.to_dict() | request.form.to_dict()).name
    upload = request.files.get(field)
    file = "" if upload is None else upload.filename or ""
    # A browser on Windows may send a whole path.
    stem = PurePosixPath(file.replace("\\", "/").replace("\0", "").removesuffix(".gz")).stem
    return given or stem[:MAX_NAME_CHARACTERS] or None


def check_size(folder: Path, max_bytes: int) -> None:
    """Check what was written to `folder`, without what a form adds.

    Raises:
        UploadTooLargeError: it is over the limit.
    """
    if sum(path.stat().st_size for path in folder.iterdir()) > max_bytes:
        raise _too_large(max_bytes)


def _too_large(max_bytes: int) -> UploadTooLargeError:
    return UploadTooLargeError(
        f"the upload is over the limit of {max_bytes} bytes", max_upload_bytes=max_bytes
    )
