"""What a merge shows: the sources beside what became of them, plain and with names."""

import numpy as np

from formats.faces import Faces
from formats.figures import labelled_collage
from formats.pictures import collage
from jobs.contract import ArtifactRole
from jobs.provenance import order_provenance
from jobs.requests import JobReference, MergeParams
from jobs.works import AssembleWork
from worker.engine.datasets import Datasets
from worker.engine.made_files import faces_file, picture_file
from worker.engine.merge_sources import load_sources
from worker.engine.shard import MadeFile, ShardRun

COLUMN_NAMES = ("x(1)", "x(2)", "merged")
MASK_WORDS = {
    "left_right": "the left half of x(1) and the right half of x(2)",
    "top_bottom": "the upper half of x(1) and the lower half of x(2)",
    "upload": "x(1) as far as the uploaded mask is white",
}


def merge_pictures(
    shard: ShardRun, work: AssembleWork, images: Faces, datasets: Datasets
) -> list[MadeFile]:
    """Sources, collage and figure of all merged images, uint8 (rows · pairs, 48, 48).

    Raises:
        InterruptedShard: the consumer asked for it.
        ArtifactStoreError: a source cannot be read.
        FormatError: a source is no face.
    """
    params = work.params
    assert isinstance(params, MergeParams)
    assert work.sources is not None
    sources = load_sources(shard, datasets, work.sources)
    cells = merge_cells(images, sources)
    columns = len(COLUMN_NAMES) * len(sources)
    rows = [f"t = {t}" for t in params.timesteps]
    names = COLUMN_NAMES * len(sources)
    figure = labelled_collage(cells, columns, rows, names, caption(params), group=len(COLUMN_NAMES))
    made_by = order_provenance(shard.order)
    return [
        faces_file(ArtifactRole.SOURCES, "sources.npy", sources),
        picture_file(ArtifactRole.COLLAGE, "collage.png", collage(cells, columns), made_by),
        picture_file(ArtifactRole.FIGURE, "figure.png", figure, made_by),
    ]


def merge_cells(images: Faces, sources: Faces) -> Faces:
    """The cells of the collage: a row for each t, for each pair x(1), x(2) and merged.

    Args:
        images: merged, row by row, uint8 (rows · pairs, 48, 48).
        sources: uint8 (pairs, 2, 48, 48).

    Returns:
        uint8 (rows · pairs · 3, 48, 48).
    """
    rows = len(images) // len(sources)
    beside = np.broadcast_to(sources, (rows, *sources.shape))
    merged = images.reshape(rows, len(sources), 1, *images.shape[1:])
    return np.concatenate([beside, merged], axis=2).reshape(-1, *images.shape[1:])


def caption(params: MergeParams) -> str:
    """What the figure shows, in a sentence or two."""
    named = params.checkpoint
    network = f"of job {named.job}" if isinstance(named, JobReference) else named
    method = "kernel: both noised to t, joined, denoised"
    if params.method == "repaint":
        method = f"repaint: x(1) kept, {params.resamplings} passes of {params.jump_length} steps"
    return (
        f"Merged faces: {MASK_WORDS[params.mask]}. Method {method}; {params.sampler}, "
        f"{params.num_inference_steps} steps from T; checkpoint {network}; seed {params.seed}"
    )
