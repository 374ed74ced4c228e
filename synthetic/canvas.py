"""The brushes: soft edges, bells and bands on flat images.

The frame is [-1, 1] x [-1, 1], x to the right, y DOWN. (U, V) are face coordinates: the frame
after undoing shift, zoom, roll, yaw and pitch; A = |U| serves both halves of a face at once.
(u, v) are head coordinates, in which yaw and pitch stay: the outline of the head is theirs.
Traits are (n, 1) and images flat (n, FACE_SIZE ** 2), all float32: long rows make NumPy's
broadcasting fast.
"""

from functools import cache
from types import SimpleNamespace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[Any]  # float32; NumPy's stubs lose that beside Python numbers
Pixels = tuple[slice, slice]

FACE_SIZE = 48  # pixels across


@cache
def resize_matrix(m: int, n: int) -> Floats:
    """(m, n) matrix that takes n samples to m by linear interpolation."""
    where = (np.arange(m) + 0.5) * n / m - 0.5
    weights = np.maximum(0, 1 - abs(where[:, None] - np.arange(n)))
    normalized: Floats = (weights / weights.sum(1, keepdims=True)).astype(np.float32)
    return normalized


class Rows(SimpleNamespace):
    """Named arrays with a row for each face."""

    def of(self, rows: NDArray[np.intp] | slice) -> Self:
        """The same arrays for some of the faces."""
        return type(self)(**{name: value[rows] for name, value in vars(self).items()})

    def at(self, pixels: Pixels) -> Self:
        """The same images for some of the pixels."""
        return type(self)(**{name: value[pixels] for name, value in vars(self).items()})


def step(x: Floats, width: float) -> Floats:
    """Soft edge: 0 for x <= -width/2, 1 for x >= width/2, linear between."""
    return np.clip(x * (1 / width) + np.float32(0.5), 0, 1)


def bell(q: Floats) -> Floats:
    """Compact bell of a squared distance q >= 0: 1 at q = 0, 0 for q >= 1."""
    t: Floats = np.clip(1 - q, 0, 1)  # faster than np.maximum
    return t * t


def blob(x: Any, y: Any, centre: tuple[Any, Any], radii: tuple[Any, Any]) -> Floats:
    """Elliptic bell round `centre` with these `radii`, each a number or a trait (n, 1)."""
    dx, dy = (x - centre[0]) * (1 / radii[0]), (y - centre[1]) * (1 / radii[1])
    return bell(dx * dx + dy * dy)


def mix(a: Any, b: Any, amount: Any) -> Any:
    """`a` where the amount is 0, `b` where it is 1."""
    return a + (b - a) * amount


def band(top: float, bottom: float) -> Pixels:
    """Index of the rows with top <= y <= bottom of flat images, for features that stay local."""
    first, last = (round((y + 1) * FACE_SIZE / 2) * FACE_SIZE for y in (top, bottom))
    return slice(None), slice(first, last)
