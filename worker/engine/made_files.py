"""What shards make, as files: images, pictures and figures."""

import io
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from formats.faces import Faces
from formats.pictures import encode_png
from jobs.contract import ArtifactRole
from worker.engine.shard import MadeFile


def images_file(images: Faces) -> MadeFile:
    """Images uint8 (n, 48, 48)."""
    content = io.BytesIO()
    np.save(content, images, allow_pickle=False)
    return MadeFile(
        role=ArtifactRole.IMAGES,
        name="images.npy",
        content=content.getvalue(),
        shape=images.shape,
        media_type="application/x-npy",
    )


def picture_file(
    role: ArtifactRole, name: str, picture: Image.Image, parameters: Mapping[str, Any]
) -> MadeFile:
    """A gray picture, with what made it."""
    return MadeFile(
        role=role,
        name=name,
        content=encode_png(picture, parameters),
        shape=(picture.height, picture.width),
        media_type="image/png",
    )


def metrics_file(metrics: Mapping[str, Any]) -> MadeFile:
    """Figures, as JSON."""
    return MadeFile(
        role=ArtifactRole.METRICS,
        name="metrics.json",
        content=json.dumps(metrics, indent=1, allow_nan=False).encode(),
        shape=(),
        media_type="application/json",
    )
