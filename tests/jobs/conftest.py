"""The service over a real database, Redis and folder, with a small checkpoint in it."""

import pytest

from jobs.service import JobService, open_service
from jobs.settings import WebSettings


@pytest.fixture
def service(web_settings: WebSettings) -> JobService:
    return open_service(web_settings)
