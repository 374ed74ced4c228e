"""The checkpoints that jobs can name."""

import shutil
import tempfile
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from formats.checkpoint import (
    import_checkpoint,
    read_checkpoint,
    sha256_of,
)
from formats.checkpoint_facts import checkpoint_facts
from formats.errors import FormatError
from jobs import store
from jobs.artifacts import CHECKPOINTS, ArtifactStore, checkpoint_path
from jobs.contract import CheckpointView
from jobs.database import Database
from jobs.errors import CheckpointNotFoundError, CheckpointRejectedError
from jobs.requests import BUNDLED, BUNDLED_64, BUNDLED_JUDGE, BUNDLED_REGRESSOR
from jobs.tables import Checkpoint
from jobs.views import checkpoint_view

BUNDLED_FOLDER = Path(__file__).parent / "bundled"


class BundledCheckpoint(NamedTuple):
    """A checkpoint that comes with Darkroom, and always has the same id."""

    id: str
    name: str
    file: str


BUNDLED_CHECKPOINTS = (
    BundledCheckpoint(BUNDLED, "Bundled noise predictor", "noise-predictor-32.safetensors"),
    BundledCheckpoint(
        BUNDLED_64, "Bundled noise predictor, width 64", "noise-predictor-64.safetensors"
    ),
    BundledCheckpoint(BUNDLED_REGRESSOR, "Bundled age regressor", "age-regressor-32.safetensors"),
    BundledCheckpoint(BUNDLED_JUDGE, "Bundled judge of ages", "age-judge.safetensors"),
)
BUNDLED_IDS = frozenset(each.id for each in BUNDLED_CHECKPOINTS)  # a new version may bring others
BUNDLED_CHECKPOINT = BUNDLED_FOLDER / BUNDLED_CHECKPOINTS[0].file


class CheckpointLibrary:
    """Keeps checkpoints; a part of the job service."""

    _database: Database
    _artifacts: ArtifactStore

    def import_checkpoint(self, path: Path, name: str) -> CheckpointView:
        """Check a `.cpt` or `.safetensors` file, and keep it as safetensors with a description.

        Raises:
            CheckpointRejectedError: it is no checkpoint that Darkroom can run; `details` has
                `reason`, the code of what is wrong.
            ArtifactStoreError: the store does not take it, or is not mounted.
        """
        self._artifacts.require_mounted(CHECKPOINTS, "write")
        with tempfile.TemporaryDirectory(prefix="darkroom-import-") as folder:
            native = Path(folder) / "checkpoint.safetensors"
            try:
                import_checkpoint(path, native)
            except FormatError as error:
                raise CheckpointRejectedError(str(error), reason=error.code) from error
            return self._keep_checkpoint(native, sha256_of(native), name)

    def keep_bundled_checkpoints(self, folder: Path = BUNDLED_FOLDER) -> None:
        """Make the bundled networks known under their ids; a file that is not there is skipped.

        Raises:
            ArtifactStoreError: the store does not take them, or is not mounted.
        """
        with self._database.read() as session:
            is_used = any(store.find_checkpoint(session, each) for each in BUNDLED_IDS)
        if is_used:  # else the store may be new: what is kept now tells it from a bare mount point
            self._artifacts.require_mounted(CHECKPOINTS, "use")
        for bundled in BUNDLED_CHECKPOINTS:
            file = folder / bundled.file
            if not file.exists():
                continue
            sha256 = sha256_of(file)
            if not self._is_kept(bundled.id, sha256):
                self._keep_checkpoint(file, sha256, bundled.name, bundled.id)

    def _is_kept(self, checkpoint_id: str, sha256: str) -> bool:
        """Whether this very file is: then a start need not read it."""
        with self._database.read() as session:
            row = store.find_checkpoint(session, checkpoint_id)
            path = row.path if row is not None and row.sha256 == sha256 else None
        return path is not None and self._artifacts.exists(path)

    def _keep_checkpoint(
        self, native: Path, sha256: str, name: str, checkpoint_id: str | None = None
    ) -> CheckpointView:
        description = _facts_of(native, sha256)
        path = checkpoint_path(sha256)
        if not self._artifacts.exists(path):
            self._copy(native, path)
        with self._database.write() as session:
            if not self._artifacts.exists(path):  # swept meanwhile, while no row named it
                self._copy(native, path)
            row = store.find_checkpoint(session, checkpoint_id or sha256[:16])
            if row is None:
                row = Checkpoint(id=checkpoint_id or sha256[:16], created_at=datetime.now(UTC))
                session.add(row)
            if row.sha256 != sha256:
                row.name = name
                row.architecture = description["architecture"]
                row.width = description["width"]
                row.path, row.sha256 = path, sha256
                row.size_bytes = native.stat().st_size
                row.description = description
            session.flush()
            return checkpoint_view(row)

    def _copy(self, native: Path, path: str) -> None:
        with native.open("rb") as source, self._artifacts.writing(path) as file:
            shutil.copyfileobj(source, file)

    def read_checkpoint(self, checkpoint_id: str) -> bytes:
        """The checkpoint's file, as safetensors.

        Raises:
            CheckpointNotFoundError: there is none.
            ArtifactStoreError: the store does not answer.
        """
        with self._database.read() as session:
            path = _require_checkpoint(session, checkpoint_id).path
        return self._artifacts.read_bytes(path)

    def list_checkpoints(self) -> list[CheckpointView]:
        """All checkpoints, newest first."""
        with self._database.read() as session:
            return [checkpoint_view(row) for row in store.all_checkpoints(session)]

    def get_checkpoint(self, checkpoint_id: str) -> CheckpointView:
        """The checkpoint of this id.

        Raises:
            CheckpointNotFoundError: there is none.
        """
        with self._database.read() as session:
            return checkpoint_view(_require_checkpoint(session, checkpoint_id))


@lru_cache(maxsize=8)
def _facts_of(path: Path, sha256: str) -> dict[str, Any]:
    """What is told of this file; a process that opens several services reads it once."""
    tensors, described = read_checkpoint(path)
    return checkpoint_facts(described, tensors)


def _require_checkpoint(session: Session, checkpoint_id: str) -> Checkpoint:
    row = store.find_checkpoint(session, checkpoint_id)
    if row is None:
        raise CheckpointNotFoundError(
            f"there is no checkpoint {checkpoint_id!r}", checkpoint_id=checkpoint_id
        )
    return row
