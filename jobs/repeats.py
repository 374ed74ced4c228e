"""Jobs read off the pictures that they made, to be made again."""

import json
from typing import Any

from pydantic import ValidationError

from formats.errors import FormatError
from formats.pictures import read_png_parameters
from jobs.database import Database
from jobs.errors import CheckpointChangedError, PictureRejectedError
from jobs.kinds.references import require_checkpoint_row
from jobs.provenance import CHECKPOINT_FIELDS
from jobs.requests import JobRequest, job_request_adapter

ALLOWED_PICTURE = (
    "a PNG that a job of Darkroom made, unchanged: an image, a collage or a figure, no preview"
)
LONGEST_ID = 64
LONGEST_SHOWN = 200  # characters of a value that is sent back


class Repeats:
    """Reads jobs off pictures; a part of the job service."""

    _database: Database

    def request_of_picture(self, content: bytes) -> JobRequest:
        """The job that made this PNG, its seed included, as a request for the same again.

        Raises:
            PictureRejectedError: it does not say what made it, or not in words that hold today;
                `details` has `field`, `allowed` and `reason`.
            CheckpointChangedError: the id of a checkpoint holds another one by now; `details` has
                `field`, `value`, `made_with` and `holds_now`.
        """
        says = _read(content)
        request = _request(says)
        hashes = says.get("checkpoints")
        if isinstance(hashes, dict):
            self._check_checkpoints(request, hashes)
        return request

    def _check_checkpoints(self, request: JobRequest, hashes: dict[str, Any]) -> None:
        """Check that every checkpoint which the parameters name is still the one it was."""
        for field in CHECKPOINT_FIELDS:
            named = getattr(request.params, field, None)
            if named is None or field not in hashes:
                continue
            with self._database.read() as session:
                try:
                    now = require_checkpoint_row(session, named).sha256
                except LookupError:  # the submission says so, and where to look
                    continue
            if now != hashes[field]:
                shown = named if isinstance(named, str) else named.job
                raise CheckpointChangedError(
                    f"params.{field}: the picture was made with the checkpoint of SHA-256 "
                    f"{hashes[field]}, but {shown!r} is now {now}; import that checkpoint and "
                    "submit the picture's parameters with its id",
                    field=f"params.{field}",
                    value=shown,
                    made_with=hashes[field],
                    holds_now=now,
                )


def _read(content: bytes) -> dict[str, Any]:
    try:
        says = read_png_parameters(content)
    except FormatError as error:
        raise _rejected(str(error), error.code) from error
    if says is None or not isinstance(says.get("kind"), str) or "params" not in says:
        raise _rejected(
            "the picture does not say which job made it; programs that save a picture anew "
            "often leave that out",
            "no_parameters",
        )
    return says


def _request(says: dict[str, Any]) -> JobRequest:
    job_id = says.get("job")
    is_named = isinstance(job_id, str) and len(job_id) <= LONGEST_ID
    name = f"Again: job {job_id}" if is_named else None
    asked = {"kind": says["kind"], "params": says["params"], "name": name}
    try:
        return job_request_adapter.validate_json(json.dumps(asked))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"] if part != says["kind"])
        found = json.dumps(first["input"], default=str)[:LONGEST_SHOWN]
        raise _rejected(
            f"what the picture says is no job of this version: {where or 'kind'}: "
            f"{first['msg']}, not {found}",
            "unknown_parameters",
        ) from error


def _rejected(message: str, reason: str) -> PictureRejectedError:
    return PictureRejectedError(
        f"file: {message}", field="file", allowed=ALLOWED_PICTURE, reason=reason
    )
