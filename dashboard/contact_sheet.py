"""Where the faces of a job lie on its collage, and which to show when it has none."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from jobs.contract import ArtifactRole, ArtifactView

FACES_SHOWN = 200  # at a time; a sheet's whole rows


@dataclass(frozen=True)
class Face:
    """One image: its number in the job, its name, and where it can be fetched as a PNG."""

    number: int
    label: str
    artifact_id: str
    index: int
    x: int = 0
    y: int = 0


@dataclass(frozen=True)
class Sheet:
    """Some whole rows of a collage, with the faces on them; all in pixels."""

    collage: ArtifactView
    faces: list[Face]
    top: int
    width: int
    height: int
    face_width: int
    face_height: int
    page: int
    pages: int


def find(artifacts: Sequence[ArtifactView], role: ArtifactRole) -> ArtifactView | None:
    """The whole job's artifact of this role."""
    return next((each for each in artifacts if each.role is role and each.shard is None), None)


def find_named(artifacts: Sequence[ArtifactView], name: str) -> ArtifactView | None:
    """The whole job's artifact of this name."""
    return next((each for each in artifacts if each.name == name and each.shard is None), None)


def face_label(number: int) -> str:
    """What an image is called where it is one of many."""
    return f"Face {number}"


def sheet_of(
    artifacts: Sequence[ArtifactView],
    page: int,
    label: Callable[[int], str] = face_label,
    cells: int = 1,
) -> Sheet | None:
    """The part of the collage that `page` (from 1) shows; None while there is no collage.

    Args:
        artifacts: the job's.
        page: which part.
        label: number of an image → its name.
        cells: of the collage for each image, which is the last of them; the others are sources.
    """
    collage = find(artifacts, ArtifactRole.COLLAGE)
    images = find(artifacts, ArtifactRole.IMAGES)
    if collage is None or images is None:
        return None
    count, face_height, face_width = images.shape
    height, width = collage.shape
    columns = max(1, width // (face_width * cells))
    rows_shown = max(1, FACES_SHOWN // columns)
    rows = height // face_height
    pages = max(1, -(-rows // rows_shown))
    page = min(max(page, 1), pages)
    first_row = (page - 1) * rows_shown
    last_row = min(rows, first_row + rows_shown)
    faces = [
        Face(
            number=index,
            label=label(index),
            artifact_id=images.id,
            index=index,
            x=(index % columns * cells + cells - 1) * face_width,
            y=index // columns * face_height,
        )
        for index in range(first_row * columns, min(count, last_row * columns))
    ]
    return Sheet(
        collage=collage,
        faces=faces,
        top=first_row * face_height,
        width=width,
        height=(last_row - first_row) * face_height,
        face_width=face_width,
        face_height=face_height,
        page=page,
        pages=pages,
    )


def finished_faces(
    artifacts: Sequence[ArtifactView],
    first_images: dict[int, int],
    label: Callable[[int], str] = face_label,
) -> list[Face]:
    """The first faces of the shards that have finished, for a job without a collage.

    Args:
        artifacts: the job's.
        first_images: shard index → number of its first image.
        label: number of an image → its name.
    """
    faces = [
        Face(
            number=first_images[piece.shard] + index,
            label=label(first_images[piece.shard] + index),
            artifact_id=piece.id,
            index=index,
        )
        for piece in artifacts
        if piece.role is ArtifactRole.IMAGES and piece.shard is not None
        for index in range(piece.shape[0])
    ]
    return faces[:FACES_SHOWN]
