"""How a merged face holds together: its seam, and what each part kept of its source."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from diffusion.features import check_faces
from diffusion.metrics.estimate import Estimate
from formats.faces import FACE_SIZE

Faces = NDArray[np.uint8]
Weights = NDArray[np.floating]

HALF = 0.5  # where a mask's weight crosses it, there is its edge
NEAREST, FURTHEST = 2, 5  # pixels beside the edge that it is compared with
ROUNDING = 1 / 6  # mean square of a difference that is rounding alone: two errors of 1/12


class _Steps(NamedTuple):
    """Pairs of neighbours along one axis: float64 squared differences (N, ·, ·), bool (·, ·)."""

    squares: NDArray[np.float64]
    is_edge: NDArray[np.bool_]
    is_beside: NDArray[np.bool_]


def seam_energies(images: Faces, mask: Weights) -> NDArray[np.float64]:
    """How much rougher each picture is across the mask's edge than beside it.

    The mean squared difference of neighbours on both sides of the edge, by that of neighbours in
    the same direction 2 to 5 pixels beside it (and not next to another edge). Both have the share
    of rounding to gray levels added, so that a flat picture has 1. A picture without a seam has
    about 1, a face what its features along that line make of it: compare with faces that were not
    merged. A soft mask's edge is where it crosses a half.

    Args:
        images: gray, uint8 (N, 48, 48).
        mask: weights of the first face, 0 … 1, (48, 48).

    Returns:
        float64 (N,).

    Raises:
        ValueError: images or mask are not so, or the mask has no edge with room beside it.
    """
    check_faces(images)
    if mask.shape != (FACE_SIZE, FACE_SIZE):
        raise ValueError(f"a mask must be ({FACE_SIZE}, {FACE_SIZE}), not {mask.shape}")
    pixels, is_first = images.astype(np.float64), mask >= HALF
    both = [
        _steps(pixels, is_first),
        _steps(pixels.swapaxes(1, 2), is_first.T),
    ]
    return (_mean(both, "is_edge") + ROUNDING) / (_mean(both, "is_beside") + ROUNDING)


def has_seam(mask: Weights) -> bool:
    """Whether `seam_energies` can be told of this mask."""
    flat = np.zeros((1, FACE_SIZE, FACE_SIZE), np.uint8)
    try:
        seam_energies(flat, mask)
    except ValueError:
        return False
    return True


def correlations(images: Faces, sources: Faces, region: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Pearson's correlation of each picture with its source over a region's pixels.

    Args:
        images: gray, uint8 (N, 48, 48).
        sources: of the same shape.
        region: bool (48, 48), with at least two pixels.

    Returns:
        float64 (N,), within -1 and 1; 0 where one of both is flat in the region.

    Raises:
        ValueError: the shapes differ, or the region is too small.
    """
    if images.shape != sources.shape or np.count_nonzero(region) < 2:  # noqa: PLR2004
        raise ValueError(
            f"pictures {images.shape} and sources {sources.shape} must have one shape, and the "
            f"region at least 2 pixels, not {np.count_nonzero(region)}"
        )
    here, there = (each[:, region].astype(np.float64) for each in (images, sources))
    here, there = (each - each.mean(1, keepdims=True) for each in (here, there))
    spread = np.sqrt((here**2).sum(1) * (there**2).sum(1))
    products = (here * there).sum(1)
    return np.divide(products, spread, out=np.zeros_like(products), where=spread > 0)


def mean_of(values: NDArray[np.float64]) -> Estimate:
    """Mean and standard error of independent values, (N,); of one alone the error is 0."""
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else 0.0
    return Estimate(float(values.mean()), float(error))


def _steps(pixels: NDArray[np.float64], is_first: NDArray[np.bool_]) -> _Steps:
    """Neighbours along the last axis."""
    is_edge = is_first[:, 1:] != is_first[:, :-1]
    near = _within(is_edge, NEAREST - 1)
    return _Steps(np.diff(pixels, axis=2) ** 2, is_edge, _within(is_edge, FURTHEST) & ~near)


def _within(is_edge: NDArray[np.bool_], distance: int) -> NDArray[np.bool_]:
    """Whether an edge is at most so far, along the last axis."""
    padded = np.pad(is_edge, ((0, 0), (distance, distance)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * distance + 1, axis=1)
    found: NDArray[np.bool_] = np.logical_or.reduce(windows, axis=2)
    return found


def _mean(both: list[_Steps], where: str) -> NDArray[np.float64]:
    count = sum(int(np.count_nonzero(getattr(steps, where))) for steps in both)
    if not count:
        raise ValueError("the mask has no edge with pictures on both sides and beside it")
    total: NDArray[np.float64] = sum(
        (steps.squares[:, getattr(steps, where)].sum(1) for steps in both),
        start=np.zeros(len(both[0].squares)),
    )
    return total / count
