"""A shard's images as one `.npy` file."""

import io

import numpy as np
import numpy.typing as npt

from jobs.contract import ArtifactRole
from worker.engine.shard import MadeFile


def images_file(images: npt.NDArray[np.uint8]) -> MadeFile:
    """Images uint8 (n, 48, 48) as a file of an attempt."""
    content = io.BytesIO()
    np.save(content, images, allow_pickle=False)
    return MadeFile(
        role=ArtifactRole.IMAGES,
        name="images.npy",
        content=content.getvalue(),
        shape=images.shape,
        media_type="application/x-npy",
    )
