"""Whether the process lives, and whether it can serve; both are free of job data."""

from typing import Literal

from flask import Response
from pydantic import Field

from api.responses import json_response
from api.routing import Route
from jobs.contract import Contract
from jobs.readiness import Condition
from jobs.service import JobService


class Health(Contract):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Readiness(Contract):
    """Jobs are taken while the database is ready, also without broker and artifact store."""

    database: Literal["ok", "not_ready", "database_busy", "storage_full"]
    broker: Literal["ok", "unreachable"]
    artifacts: Literal["ok", "unreachable", "read_only", "full"]
    reasons: list[str] = Field(description="What is wrong, in one sentence each.")


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
        database = self._service.database_condition()
        artifacts = self._service.artifacts_condition()
        broker = Condition()
        if not self._service.broker_is_reachable():
            broker = Condition("unreachable", "Redis does not answer.")
        readiness = Readiness.model_validate(
            {
                "database": database.word,
                "broker": broker.word,
                "artifacts": artifacts.word,
                "reasons": [each.reason for each in (database, broker, artifacts) if each.reason],
            }
        )
        return json_response(readiness, 200 if database.word == "ok" else 503)
