"""The service over a real database, Redis and folder, with a small checkpoint in it."""

from collections.abc import Iterator

import pytest

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
