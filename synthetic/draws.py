"""The random numbers of each face, from a generator keyed by the seed and the face's own index."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthetic.canvas import FACE_SIZE, Rows, resize_matrix

TRAIT_NUMBERS = 128  # normals, and as many uniforms, kept for one face's traits
BLOCK = 512  # people whose random numbers are held at once
LARGEST = 2**64 - 1  # of a seed and of a face's index: the two words of a generator's key
SMOOTH_KNOTS = {"warp_x": 4, "warp_y": 4, "coarse": 6, "rough": 12}  # knots down and across
STRAND_KNOTS = (7, FACE_SIZE)  # knots down and across of the strands: long ones, a pixel wide
SPECKS = FACE_SIZE * (FACE_SIZE + 1) + 1  # a row and a pixel more than the picture has


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
    """

    def __init__(self, seed: int, indices: Sequence[int], textured: bool = True) -> None:
        """Draw for the faces `indices`, each within 0 and 2**64 − 1 like the seed.

        Where `textured` is False, traits alone, and the textures stay unset.
        """
        n = len(indices)
        self._normals = np.empty((n, TRAIT_NUMBERS))
        self._uniforms = np.empty((n, TRAIT_NUMBERS))
        self._knots = {k: np.empty((n, m, m), np.float32) for k, m in SMOOTH_KNOTS.items()}
        self._bytes = np.empty((n, STRAND_KNOTS[0] * STRAND_KNOTS[1] + SPECKS), np.uint8)
        self._next_normal = self._next_uniform = 0
        for row, index in enumerate(indices):
            key = np.array([seed, index], np.uint64)
            generator = np.random.Generator(np.random.Philox(key=key))
            generator.standard_normal(out=self._normals[row])
            generator.random(out=self._uniforms[row])
            if textured:
                for knots in self._knots.values():
                    generator.standard_normal(dtype=np.float32, out=knots[row])
                # Bytes are several times as fast to draw as normals.
                self._bytes[row] = np.frombuffer(generator.bytes(self._bytes.shape[1]), np.uint8)

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

    def textures(self, rows: NDArray[np.intp]) -> "Textures":
        """The textures of some of the faces."""
        flat = {}
        for name, knots in self._knots.items():
            up = resize_matrix(FACE_SIZE, knots.shape[1])
            flat[name] = (up @ knots[rows] @ up.T).reshape(len(rows), -1)
        noise = (self._bytes[rows] - np.float32(127.5)) * np.float32(1 / 74)
        specks, strands = noise[:, :SPECKS], noise[:, SPECKS:].reshape(-1, *STRAND_KNOTS)
        size = FACE_SIZE**2
        flat["grain"] = specks[:, :size]
        beside = specks[:, :-1] + specks[:, 1:]
        flat["fine"] = (beside[:, :size] + beside[:, FACE_SIZE:]) * np.float32(0.5)
        strands[:, :, 1:] += 0.5 * strands[:, :, :-1]
        flat["strands"] = (resize_matrix(FACE_SIZE, STRAND_KNOTS[0]) @ strands).reshape(-1, size)
        return Textures(**flat)


class Textures(Rows):
    """Random images by name, each (n, FACE_SIZE**2), of about unit variance.

    From smooth to rough: warp_x, warp_y, coarse, rough, fine, grain (white); `strands` hang down.
    """
