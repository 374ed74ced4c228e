"""A database to begin stories with."""

import pytest

from jobs.artifacts import ArtifactStore
from jobs.database import Database
from jobs.service import JobService
from jobs.streams import WebStreams
from tests.dispatcher.simulation import NOWHERE


@pytest.fixture(scope="session")
def stocked_file(tmp_path_factory, migrated_file):
    """A migrated database that knows the bundled checkpoints."""
    folder = tmp_path_factory.mktemp("stocked")
    path = folder / "darkroom.sqlite"
    path.write_bytes(migrated_file.read_bytes())
    database = Database(f"sqlite:///{path}")
    store = ArtifactStore(str(folder / "artifacts"))
    JobService(database, store, WebStreams(NOWHERE), 1).keep_bundled_checkpoints()
    database.close()
    return path
