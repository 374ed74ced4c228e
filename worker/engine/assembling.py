"""Run an `assemble` shard: the whole array of a job's images, and their collage."""

import io

import numpy as np

from formats.pictures import collage
from jobs.contract import ArtifactRole
from jobs.provenance import order_provenance
from jobs.requests import SampleParams
from jobs.works import AssembleWork
from worker.engine.made_files import images_file, picture_file
from worker.engine.shard import MadeFile, ShardRun


def assemble(shard: ShardRun, work: AssembleWork) -> list[MadeFile]:
    """Join the shards' pieces.

    Raises:
        ArtifactStoreError: a piece cannot be read.
    """
    pieces = [
        np.load(io.BytesIO(shard.artifacts.read_bytes(path)), allow_pickle=False)
        for path in work.pieces
    ]
    images = np.concatenate(pieces)
    assert isinstance(work.params, SampleParams)
    sheet = collage(images, min(work.params.columns, len(images)))
    made_by = order_provenance(shard.order)
    picture = picture_file(ArtifactRole.COLLAGE, "collage.png", sheet, made_by)
    return [images_file(images), picture]
