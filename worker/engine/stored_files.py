"""Files that an order names: read from the artifact store, and checked to be the ones meant."""

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from diffusion import Checkpoint, load_checkpoint
from diffusion.checkpoints import RegressorCheckpoint, load_regressor
from diffusion.judge import AgeJudge, load_judge
from formats.description import CheckpointDescription
from jobs.artifacts import ArtifactStore
from jobs.errors import ArtifactFileChangedError
from jobs.works import FileReference


def read_stored(artifacts: ArtifactStore, reference: FileReference) -> bytes:
    """The bytes of this file.

    Raises:
        ArtifactFileChangedError: it is another file than the order means.
        ArtifactStoreError: it cannot be read.
    """
    content = artifacts.read_bytes(reference.path)
    found = hashlib.sha256(content).hexdigest()
    if found != reference.sha256:
        raise ArtifactFileChangedError(
            f"{reference.path} has SHA-256 {found}, not {reference.sha256}: "
            "the artifact store holds another file",
            path=reference.path,
        )
    return content


def read_checkpoint(artifacts: ArtifactStore, reference: FileReference) -> Checkpoint:
    """The noise predictor in this file, on the CPU.

    Raises:
        ArtifactStoreError: see `read_stored`.
        FormatError: it is no noise predictor.
    """
    with _stored_file(artifacts, reference) as path:
        return load_checkpoint(path)


def read_regressor(artifacts: ArtifactStore, reference: FileReference) -> RegressorCheckpoint:
    """The age regressor in this file, on the CPU.

    Raises:
        ArtifactStoreError: see `read_stored`.
        FormatError: it is no age regressor.
    """
    with _stored_file(artifacts, reference) as path:
        return load_regressor(path)


def read_judge(
    artifacts: ArtifactStore, reference: FileReference
) -> tuple[AgeJudge, CheckpointDescription]:
    """The judge of ages in this file, on the CPU, and its description.

    Raises:
        ArtifactStoreError: see `read_stored`.
        FormatError: it is no judge.
    """
    with _stored_file(artifacts, reference) as path:
        return load_judge(path)


@contextmanager
def _stored_file(artifacts: ArtifactStore, reference: FileReference) -> Iterator[Path]:
    with tempfile.NamedTemporaryFile(suffix=".safetensors") as file:
        file.write(read_stored(artifacts, reference))
        file.flush()
        yield Path(file.name)
