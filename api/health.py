"""Whether the process lives, and whether it can serve; both are free of job data."""

from typing import Literal

from flask import Response

from api.responses import json_response
from api.routing import Route
from jobs.contract import Contract
from jobs.service import JobService


class Health(Contract):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Readiness(Contract):
    """Jobs are taken while the database is ready, also without the broker."""

    database: Literal["ok", "not_ready"]
    broker: Literal["ok", "unreachable"]


class HealthRoutes:
    """What a supervisor asks."""

    def __init__(self, service: JobService) -> None:
        """Answer from the service."""
        self._service = service

    @Route("GET", "/healthz", "Whether the process lives", Health)
    def healthz(self) -> Response:
        """Always 200."""
        return json_response(Health())

    @Route("GET", "/readyz", "Whether jobs are taken", Readiness)
    def readyz(self) -> Response:
        """503 only while the database is not ready."""
        is_ready = self._service.database_is_ready()
        readiness = Readiness(
            database="ok" if is_ready else "not_ready",
            broker="ok" if self._service.broker_is_reachable() else "unreachable",
        )
        return json_response(readiness, 200 if is_ready else 503)
