"""This computer: versions and room."""

import platform
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import make_url

from darkroom.doctor.findings import Finding, gigabytes, ok, problem, warning
from jobs import __version__
from jobs.artifacts import ArtifactStore
from jobs.settings import DatabaseSettings
from jobs.sqlite import has_wal_reset_bug, sqlite_module

PROBLEM_BYTES, WARNING_BYTES = 64 * 2**20, 2**30


def check_host(settings: DatabaseSettings) -> Iterator[Finding]:
    """Python, SQLite, and the disks that something is written to."""
    yield ok("host", f"Darkroom {__version__} on Python {platform.python_version()}")
    url = make_url(settings.database_url)
    folders = {"temporary files": Path(tempfile.gettempdir())}
    if url.get_backend_name() == "sqlite":
        yield _sqlite()
        folders["the database"] = Path(url.database or ".").parent
    artifacts = ArtifactStore(settings.artifacts_url).folder
    if artifacts is not None:
        folders["artifacts"] = artifacts
    for what, folder in folders.items():
        if folder.exists():
            yield _room(what, folder)


def _sqlite() -> Finding:
    module = sqlite_module()
    version = module.sqlite_version
    if has_wal_reset_bug(module.sqlite_version_info):
        return warning(
            "host",
            f"SQLite {version} may lose commits in WAL mode: a slower journal is used",
            "pip install pysqlite3, or use a Python with SQLite 3.51.3 or newer",
        )
    return ok("host", f"SQLite {version}, without the WAL-reset bug")


def _room(what: str, folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    message = f"{gigabytes(free)} free for {what} ({folder})"
    advice = "make room: `darkroom delete`, DARKROOM_KEEP_DAYS, or a larger disk"
    if free < PROBLEM_BYTES:
        return problem("host", message, advice)
    return warning("host", message, advice) if free < WARNING_BYTES else ok("host", message)
