"""Run an `assemble` shard: the whole array of a job's images, and their collage."""

import io

import numpy as np

from formats.faces import Faces
from formats.pictures import collage
from jobs.contract import ArtifactRole
from jobs.provenance import order_provenance
from jobs.requests import GuidedSampleParams, MergeParams, SampleParams
from jobs.works import AssembleWork
from worker.engine.datasets import Datasets
from worker.engine.guided_pictures import guided_pictures
from worker.engine.made_files import images_file, picture_file
from worker.engine.merge_pictures import merge_pictures
from worker.engine.shard import MadeFile, ShardRun


class AssembleRunner:
    """Joins what the shards of a job have made."""

    def __init__(self, datasets: Datasets) -> None:
        """Look for the faces that were merged in `datasets`."""
        self._datasets = datasets

    def run(self, shard: ShardRun, work: AssembleWork) -> list[MadeFile]:
        """Join the shards' pieces.

        Raises:
            InterruptedShard: the consumer asked for it.
            ArtifactStoreError: a piece or a source cannot be read.
            FormatError: a source is no face.
        """
        pieces = [
            np.load(io.BytesIO(shard.artifacts.read_bytes(path)), allow_pickle=False)
            for path in work.pieces
        ]
        images = np.concatenate(pieces)
        if isinstance(work.params, MergeParams):
            pictures = merge_pictures(shard, work, images, self._datasets)
        elif isinstance(work.params, GuidedSampleParams):
            pictures = guided_pictures(shard, work.params, images)
        else:
            pictures = [_sample_collage(shard, work, images)]
        return [images_file(images), *pictures]


def _sample_collage(shard: ShardRun, work: AssembleWork, images: Faces) -> MadeFile:
    assert isinstance(work.params, SampleParams)
    sheet = collage(images, min(work.params.columns, len(images)))
    made_by = order_provenance(shard.order)
    return picture_file(ArtifactRole.COLLAGE, "collage.png", sheet, made_by)
