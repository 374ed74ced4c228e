"""The artifact store: a round trip, its clock, and whose it is."""

import secrets
import time
from collections.abc import Iterator, Mapping
from typing import Any

from darkroom.doctor.database_checks import opened
from darkroom.doctor.findings import Finding, clock_offset, ok, problem, warning
from jobs.artifacts import ArtifactStore
from jobs.errors import ArtifactStoreError
from jobs.facts import STORE, read_fact
from jobs.settings import DatabaseSettings
from jobs.sweeping import store_name

SLOW_SECONDS = 2.0
CONTENT = b"a file of `darkroom doctor`, gone in a moment\n"


def check_artifacts(settings: DatabaseSettings) -> Iterator[Finding]:
    """Whether files can be written, read, listed and deleted, and belong to this database."""
    artifacts = ArtifactStore(settings.artifacts_url)
    folder = f"doctor-{secrets.token_hex(4)}"
    began = time.monotonic()
    try:
        if _fact(settings) is not None:  # the store was used: one without checkpoints is away
            artifacts.require_mounted(folder, "write")
        yield from _round_trip(artifacts, folder)
    except ArtifactStoreError as error:
        yield problem(
            "artifacts",
            f"{artifacts.url}: {error.message}",
            "make room, mount it, or let this user write; jobs wait until then",
        )
        return
    seconds = time.monotonic() - began
    told = f"{artifacts.url}: written, read, listed and deleted in {seconds * 1000:.0f} ms"
    if seconds > SLOW_SECONDS:
        yield warning("artifacts", told, "a store nearer to the workers makes them faster")
    else:
        yield ok("artifacts", told)
    yield from _owner(settings, artifacts)


def _round_trip(artifacts: ArtifactStore, folder: str) -> Iterator[Finding]:
    path = f"{folder}/probe"
    try:
        artifacts.write_bytes(path, CONTENT)
        if artifacts.read_bytes(path) != CONTENT or artifacts.names(folder) != ["probe"]:
            yield problem(
                "artifacts",
                "what was written is not what is read or listed",
                "use a store that shows a file as soon as it is written",
            )
        if artifacts.folder is not None:
            yield clock_offset(
                "artifacts",
                (artifacts.folder / path).stat().st_mtime - time.time(),
                "only listings depend on it",
            )
    finally:
        artifacts.delete(folder)
    if artifacts.exists(path):
        yield problem("artifacts", "a deleted file is still there", "let this user delete")


def _owner(settings: DatabaseSettings, artifacts: ArtifactStore) -> Iterator[Finding]:
    fact, named = _fact(settings), store_name(artifacts)
    if fact is None or named is None:
        yield ok("artifacts", "belongs to nobody yet: the dispatcher will name it")
    elif named == fact["id"]:
        yield ok("artifacts", "belongs to this database")
    else:
        yield problem(
            "artifacts",
            f"belongs to another database ({named}, not {fact['id']}): nothing in it is swept",
            "give every database a store of its own, or restore the database that belongs to it",
        )


def _fact(settings: DatabaseSettings) -> Mapping[str, Any] | None:
    """What the database knows of its store; None also where the database does not answer."""
    try:
        with opened(settings) as database, database.read() as session:
            return read_fact(session, STORE)
    except Exception:  # the database's own checks say why
        return None
