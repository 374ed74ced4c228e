"""What shards make, as files: images, pictures and figures."""

import io
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from formats.faces import Faces
from formats.pictures import encode_png
from formats.xmp import SourceType
from jobs.contract import ArtifactRole
from jobs.provenance import source_type
from worker.engine.shard import MadeFile


def images_file(images: Faces) -> MadeFile:
    """Images uint8 (n, 48, 48)."""
    return faces_file(ArtifactRole.IMAGES, "images.npy", images)


def faces_file(role: ArtifactRole, name: str, faces: Faces) -> MadeFile:
    """Faces as an array, uint8 (…, 48, 48)."""
    content = io.BytesIO()
    np.save(content, faces, allow_pickle=False)
    return MadeFile(
        role=role,
        name=name,
        content=content.getvalue(),
        shape=faces.shape,
        media_type="application/x-npy",
    )


def picture_file(
    role: ArtifactRole,
    name: str,
    picture: Image.Image,
    made_by: Mapping[str, Any],
    source: SourceType | None = None,
) -> MadeFile:
    """A gray picture with its provenance, made of what its kind makes unless `source` differs."""
    return MadeFile(
        role=role,
        name=name,
        content=encode_png(picture, made_by, source or source_type(made_by["kind"])),
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
