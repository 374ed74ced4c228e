"""Nearest neighbours: precision and recall, and whether training faces were copied."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from diffusion.features import FeatureNetwork, check_faces, features
from diffusion.metrics.estimate import Rows
from diffusion.metrics.frechet import check_features
from formats.pictures import collage

BLOCK = 512  # rows whose distances to all others are held at once
COPIED_RATIO = 1 / 3
MIN_TRAINING = 2  # a second nearest is needed


class PrecisionRecall(NamedTuple):
    """Shares within 0 and 1, each with its standard error."""

    precision: float
    recall: float
    precision_error: float
    recall_error: float


def precision_recall(real: Rows, generated: Rows, k: int = 3) -> PrecisionRecall:
    """How many generated faces lie among the real ones, and the reverse.

    A row lies among others when it is within the distance of one of them to its k-th neighbour.
    The errors are those of the counted shares, with the other set held fixed.

    Source: Kynkäänniemi et al. 2019 (arXiv:1904.06991), equations 1 and 2.

    Args:
        real: features, (N, d), N above k.
        generated: features, (M, d), M above k; use N = M, both shares depend on N and M.
        k: which neighbour's distance is a row's radius.

    Raises:
        ValueError: k is below 1, or the features are not as above.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, not {k}")
    check_features(real, generated, k + 1)
    precision = float(_is_among(generated, real, k).mean())
    recall = float(_is_among(real, generated, k).mean())
    return PrecisionRecall(
        precision,
        recall,
        share_error(precision, len(generated)),
        share_error(recall, len(real)),
    )


def _is_among(rows: Rows, others: Rows, k: int) -> NDArray[np.bool_]:
    # The nearest of the k + 1 is the row itself.
    own = [np.partition(block, k, axis=1)[:, k] for _, block in _squared(others, others)]
    radii = np.concatenate(own)
    return np.concatenate([(block <= radii).any(1) for _, block in _squared(rows, others)])


def share_error(share: float, count: int) -> float:
    """The standard error of a share of `count`."""
    return float(np.sqrt(share * (1 - share) / count))


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The two nearest training rows of each of n rows; a row in the mirror is no second one.

    Attributes:
        indices: of the two, int64 (n, 2), nearest first.
        distances: root of the mean squared difference, float64 (n, 2).
        is_mirrored: whether it was nearer in the mirror, bool (n, 2).
    """

    indices: NDArray[np.int64]
    distances: NDArray[np.float64]
    is_mirrored: NDArray[np.bool_]

    @property
    def ratios(self) -> NDArray[np.float64]:
        """d1 / d2 of each row, 0 … 1: small where one training row is nearer than all others.

        Source: Yoon et al. 2023, Diffusion probabilistic models generalize when they fail to
        memorize: below 1/3 they call it a copy.
        """
        first, second = self.distances.T
        return np.divide(first, second, out=np.ones_like(first), where=second > 0)

    @property
    def copied_share(self) -> float:
        """The share of rows with d1 / d2 below 1/3."""
        return float((self.ratios < COPIED_RATIO).mean())


def nearest_neighbours(
    faces: NDArray[np.uint8], training: NDArray[np.uint8], network: FeatureNetwork | None = None
) -> Neighbours:
    """Find the two nearest training faces of each face, as it is or mirrored.

    Args:
        faces: gray, uint8 (n, 48, 48).
        training: gray, uint8 (N, 48, 48), N at least 2.
        network: compares features; without it pixels are compared, in gray levels.

    Raises:
        ValueError: faces are not as above.
    """
    read = flat_pixels if network is None else partial(features, network)
    return nearest_rows(read(faces), read(np.flip(faces, axis=2)), read(training))


def nearest_rows(rows: Rows, mirrored: Rows, training: Rows) -> Neighbours:
    """Find the two nearest training rows.

    Args:
        rows: (n, d), features or pixels.
        mirrored: of the same faces in the mirror, (n, d).
        training: (N, d), N at least 2.

    Raises:
        ValueError: the shapes are not as above.
    """
    if len(training) < MIN_TRAINING or training.ndim != len("nd"):
        raise ValueError(f"training must have at least {MIN_TRAINING} rows, not {training.shape}")
    if rows.shape != mirrored.shape or rows.shape[1:] != training.shape[1:]:
        raise ValueError(
            f"rows and their mirror images must be (n, {training.shape[1]}), "
            f"not {rows.shape} and {mirrored.shape}"
        )
    indices = np.empty((len(rows), 2), np.int64)
    is_mirrored = np.empty((len(rows), 2), np.bool_)
    blocks = zip(_squared(rows, training), _squared(mirrored, training), strict=True)
    for (block, as_is), (_, in_mirror) in blocks:
        at = np.arange(len(as_is))
        nearer = np.minimum(as_is, in_mirror)
        for place in range(2):
            found = nearer.argmin(1)
            indices[block, place] = found
            is_mirrored[block, place] = in_mirror[at, found] < as_is[at, found]
            nearer[at, found] = np.inf
    distances = np.empty(indices.shape)
    for place in range(2):  # anew, without the rounding of the products
        own = np.where(is_mirrored[:, place, None], mirrored, rows)
        difference = own - training[indices[:, place]]
        distances[:, place] = np.sqrt(np.square(difference, dtype=np.float64).mean(1))
    return Neighbours(indices, distances, is_mirrored)


def flat_pixels(faces: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Gray levels, 0 … 255, as rows: float32 (N, 2304)."""
    check_faces(faces)
    return faces.reshape(len(faces), -1).astype(np.float32)


def nearest_neighbour_sheet(
    generated: NDArray[np.uint8], training: NDArray[np.uint8], rows: int = 10
) -> Image.Image:
    """Show the generated faces that come nearest to training faces, most suspicious first.

    Args:
        generated: gray, uint8 (n, 48, 48).
        training: gray, uint8 (N, 48, 48), N at least 2.
        rows: how many are shown; all where there are fewer.

    Returns:
        Mode "L", 144 wide: in each row a generated face, the nearest training face in pixels and
        the second nearest, each mirrored where it is nearer so. Ordered by d1 / d2.

    Raises:
        ValueError: faces are not as above, or rows is below 1.
    """
    if rows < 1:
        raise ValueError(f"rows must be at least 1, not {rows}")
    found = nearest_neighbours(generated, training)
    cells = []
    for row in np.argsort(found.ratios, kind="stable")[:rows]:
        cells.append(generated[row])
        for index, is_mirrored in zip(found.indices[row], found.is_mirrored[row], strict=True):
            cells.append(training[index, :, ::-1] if is_mirrored else training[index])
    return collage(np.stack(cells), columns=3)


def _squared(rows: Rows, others: Rows) -> Iterator[tuple[slice, Rows]]:
    """Squared distances of a block of rows to all others, block after block."""
    lengths = np.square(others).sum(1)
    for first in range(0, len(rows), BLOCK):
        block = slice(first, min(first + BLOCK, len(rows)))
        own = np.square(rows[block]).sum(1)[:, None]
        yield block, np.maximum(own + lengths - 2 * (rows[block] @ others.T), 0)
