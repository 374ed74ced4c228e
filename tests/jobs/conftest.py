"""The service over a real database, Redis and folder, with a small checkpoint in it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from jobs import queue_facts, sqlite
from jobs.database import Database
from jobs.service import JobService, open_service
from jobs.settings import WebSettings


@pytest.fixture
def service(web_settings: WebSettings) -> JobService:
    return open_service(web_settings)


@pytest.fixture
def database(web_settings: WebSettings) -> Iterator[Database]:
    """The database behind the service."""
    database = Database(web_settings.database_url)
    yield database
    database.close()


@pytest.fixture
def moment(monkeypatch: pytest.MonkeyPatch) -> datetime:
    """When the queue is looked at, however slow the disk is."""
    now = datetime.now(UTC)
    monkeypatch.setattr(queue_facts, "datetime", SimpleNamespace(now=lambda _zone: now))
    return now


@pytest.fixture
def patient_writers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many writers SQLite takes any, and on a slow disk one may be left for long."""
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_MS", 60_000)
