"""JSON answers and lists that come whole."""

from flask import Response
from pydantic import BaseModel, Field

from api.routing import JSON_MEDIA_TYPE
from jobs.contract import (
    ArtifactView,
    CheckpointView,
    Contract,
    DatasetView,
    JobView,
    ShardView,
    UploadView,
    WorkerView,
)

REVALIDATE = "private, no-cache"  # may be kept, must be asked for
IMMUTABLE = "private, max-age=31536000, immutable"


class WholeList(Contract):
    """Base of lists that need no pages."""

    next_cursor: None = Field(None, description="Such a list always comes whole.")


class JobBatch(WholeList):
    """The jobs of one submission, in its order."""

    items: list[JobView]


class ShardList(WholeList):
    """The shards of a job, in order."""

    items: list[ShardView]


class ArtifactList(WholeList):
    """What a job made: the whole's artifacts first, then the shards' pieces."""

    items: list[ArtifactView]


class CheckpointList(WholeList):
    """All checkpoints, newest first."""

    items: list[CheckpointView]


class DatasetList(WholeList):
    """All datasets, the synthetic one first, then the newest."""

    items: list[DatasetView]


class UploadList(WholeList):
    """All uploaded pictures, newest first."""

    items: list[UploadView]


class WorkerList(WholeList):
    """Workers that are online."""

    items: list[WorkerView]


def json_response(model: BaseModel, status: int = 200) -> Response:
    """The model as JSON."""
    return Response(model.model_dump_json(), status, mimetype=JSON_MEDIA_TYPE)


def not_modified(etag: str, cache_control: str = IMMUTABLE) -> Response:
    """The caller has it already."""
    response = Response(status=304)
    response.set_etag(etag)
    response.headers["Cache-Control"] = cache_control
    return response
