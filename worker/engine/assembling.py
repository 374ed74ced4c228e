"""Run an `assemble` shard: the whole array of a job's images, and their collage."""

import io

import numpy as np

from formats.pictures import collage, encode_png
from jobs.artifacts import ArtifactStore
from jobs.contract import ArtifactRole
from jobs.messages import AssembleWork
from worker.engine.image_files import images_file
from worker.engine.shard import MadeFile


def assemble(work: AssembleWork, artifacts: ArtifactStore) -> list[MadeFile]:
    """Join the shards' pieces.

    Raises:
        ArtifactStoreError: a piece cannot be read.
    """
    pieces = [
        np.load(io.BytesIO(artifacts.read_bytes(path)), allow_pickle=False) for path in work.pieces
    ]
    images = np.concatenate(pieces)
    sheet = collage(images, min(work.params.columns, len(images)))
    picture = MadeFile(
        role=ArtifactRole.COLLAGE,
        name="collage.png",
        content=encode_png(sheet, {"kind": "sample", "params": work.params.model_dump()}),
        shape=(sheet.height, sheet.width),
        media_type="image/png",
    )
    return [images_file(images), picture]
