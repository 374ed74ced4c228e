"""The JSON API: HTTP on one side, jobs.service on the other; knows no torch."""

from flask import Blueprint

from api.artifacts import ArtifactRoutes
from api.batches import BatchRoutes
from api.checkpoints import CheckpointRoutes
from api.datasets import DatasetRoutes
from api.errors import problem_response
from api.events import EventRoutes
from api.health import HealthRoutes
from api.jobs import JobRoutes
from api.openapi import OpenApiRoutes
from api.queue import QueueRoutes
from api.routing import PREFIX, add_routes
from api.store import StoreRoutes
from api.uploaded_pictures import UploadRoutes
from jobs.artifacts import ArtifactStore
from jobs.broadcast import Broadcaster
from jobs.service import JobService
from jobs.settings import WebSettings

__all__ = ["blueprint"]


def blueprint(service: JobService, broadcaster: Broadcaster, settings: WebSettings) -> Blueprint:
    """Everything below `/api/v1`, with `/healthz` and `/readyz` at the root."""
    groups = [
        JobRoutes(service, has_keys=bool(settings.api_keys)),
        QueueRoutes(service),
        BatchRoutes(service, has_keys=bool(settings.api_keys)),
        ArtifactRoutes(service),
        CheckpointRoutes(service, settings.max_upload_bytes),
        DatasetRoutes(service, settings.max_upload_bytes),
        UploadRoutes(service, settings.max_upload_bytes),
        StoreRoutes(ArtifactStore(settings.artifacts_url), settings.max_stored_bytes),
        EventRoutes(service, broadcaster, settings.web_threads),
    ]
    version_1 = Blueprint("v1", __name__, url_prefix=PREFIX)
    for group in [*groups, OpenApiRoutes(groups)]:
        add_routes(version_1, group)
    root = Blueprint("api", __name__)
    add_routes(root, HealthRoutes(service))
    root.register_blueprint(version_1)
    root.register_error_handler(Exception, problem_response)
    return root
