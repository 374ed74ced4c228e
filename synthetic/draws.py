"""The random numbers of each face, from a generator keyed by the seed and the face's own index."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthetic.canvas import FACE_SIZE, RESOLUTION, Floats, resize_matrix

TRAIT_NUMBERS = 96  # normals, and as many uniforms, kept for one face's traits
BLOCK = 512  # people whose random numbers are held at once
LARGEST = 2**64 - 1  # of a seed and of a face's index: the two words of a generator's key
TEXTURE_CELLS = (5, 11, 28)  # knots across of the coarse, rough and fine textures


def check_range(count: int, seed: int, start: int) -> None:
    """Refuse faces that do not exist, with a ValueError."""
    if count < 0 or start < 0 or start + count > LARGEST:
        raise ValueError(
            f"count and start must be at least 0 and end within 2**64, not {count} and {start}"
        )
    if not 0 <= seed <= LARGEST:
        raise ValueError(f"seed must be within 0 and 2**64 - 1, not {seed}")


class Draws:
    """Random numbers of n faces; face i's depend on the seed and i alone.

    Traits are read column after column, in the order of the calls.

    Attributes:
        grain: white noise of the finished picture, (n, FACE_SIZE**2).
    """

    def __init__(self, seed: int, indices: Sequence[int], textured: bool = True) -> None:
        """Draw for the faces `indices`, each within 0 and 2**64 − 1 like the seed.

        Where `textured` is False, traits alone, and textures and grain stay unset.
        """
        n = len(indices)
        self._normals = np.empty((n, TRAIT_NUMBERS))
        self._uniforms = np.empty((n, TRAIT_NUMBERS))
        self._knots = [np.empty((n, cells, cells), np.float32) for cells in TEXTURE_CELLS]
        self.grain: Floats = np.empty((n, FACE_SIZE**2), np.float32)
        self._next_normal = self._next_uniform = 0
        for row, index in enumerate(indices):
            key = np.array([seed, index], np.uint64)
            generator = np.random.Generator(np.random.Philox(key=key))
            generator.standard_normal(out=self._normals[row])
            generator.random(out=self._uniforms[row])
            for image in (*self._knots, self.grain) if textured else ():
                generator.standard_normal(dtype=np.float32, out=image[row])

    def normal(self, deviation: float, mean: float = 0.0) -> NDArray[np.float64]:
        """The next normal trait, (n, 1)."""
        column = self._normals[:, self._next_normal, None]
        self._next_normal += 1
        return mean + deviation * column

    def uniform(self, low: float = 0.0, high: float = 1.0) -> NDArray[np.float64]:
        """The next trait uniform within low and high, (n, 1)."""
        column = self._uniforms[:, self._next_uniform, None]
        self._next_uniform += 1
        return low + (high - low) * column

    def chance(self, probability: Any) -> NDArray[np.bool_]:
        """True with this probability (a number or (n, 1)), (n, 1)."""
        happens: NDArray[np.bool_] = self.uniform() < probability
        return happens

    def textures(self, rows: NDArray[np.intp]) -> list[Floats]:
        """Smooth random images of some of the faces: coarse, rough, fine.

        Each (len(rows), RESOLUTION**2), of unit variance at its knots.
        """
        flat = []
        for knots in self._knots:
            up = resize_matrix(RESOLUTION, knots.shape[-1])
            flat.append((up @ knots[rows] @ up.T).reshape(len(rows), -1))
        return flat
