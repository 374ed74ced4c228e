"""The faces that a merge begins with, and the mask that joins them."""

import io

import numpy as np
from torch import Tensor

from diffusion.merge import MASKS, mask_of_gray
from formats.errors import OutOfRangeError
from formats.face_picture import load_face_picture
from formats.faces import Faces, load_faces
from jobs.artifacts import ArtifactStore
from jobs.requests import MergeParams
from jobs.works import DatasetFace, FileReference, MergeSources, PictureFace
from worker.engine.datasets import Datasets
from worker.engine.shard import ShardRun
from worker.engine.stored_files import read_stored


def load_sources(shard: ShardRun, datasets: Datasets, sources: MergeSources) -> Faces:
    """The pairs of faces: uint8 (pairs, 2, 48, 48).

    Raises:
        InterruptedShard: the consumer asked for it.
        ArtifactStoreError: a file cannot be read, or is another one than is meant.
        FormatError: a file holds no faces, or not so many.
    """
    asked = [face for pair in sources.pairs for face in pair]
    wanted = [face.index for face in asked if isinstance(face, DatasetFace)]
    of_dataset: dict[int, Faces] = {}
    if sources.dataset is not None:
        found = datasets.faces_at(shard, sources.dataset, wanted)
        of_dataset = dict(zip(wanted, found, strict=True))
    arrays: dict[str, Faces] = {}
    faces = [
        of_dataset[face.index]
        if isinstance(face, DatasetFace)
        else _picture(shard.artifacts, face, arrays)
        for face in asked
    ]
    return np.stack(faces).reshape(len(sources.pairs), 2, *faces[0].shape)


def load_mask(
    artifacts: ArtifactStore, params: MergeParams, uploaded: FileReference | None
) -> Tensor:
    """Weights of the first face, float64 (48, 48): by name, or of the uploaded picture.

    Raises:
        ArtifactStoreError: it cannot be read, or is another file than is meant.
        FormatError: it is no gray PNG of a face's size.
    """
    if uploaded is None:
        return MASKS[params.mask]()
    return mask_of_gray(load_face_picture(read_stored(artifacts, uploaded)))


def _picture(artifacts: ArtifactStore, face: PictureFace, arrays: dict[str, Faces]) -> Faces:
    """A face out of a file; arrays are read once."""
    if face.image is None:
        return load_face_picture(read_stored(artifacts, face.file))
    if face.file.sha256 not in arrays:
        arrays[face.file.sha256] = load_faces(io.BytesIO(read_stored(artifacts, face.file)))
    images = arrays[face.file.sha256]
    if face.image >= len(images):
        raise OutOfRangeError(
            f"{face.file.path} holds {len(images)} images, none of the index {face.image}",
            str(face.image),
        )
    return images[face.image]
