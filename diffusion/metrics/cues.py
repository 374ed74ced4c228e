"""The renderer's own marks of age, read off the pixels: gray hair and wrinkles. No network.

Both compare parts of one picture with each other, so that brightness and contrast cancel, and look
at nothing finer than 4 pixels, so that neither grain nor a slightly soft picture moves them much.
The places are those where faces in the frame of the synthetic ones have hair and wrinkles.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from diffusion.features import check_faces
from diffusion.metrics.estimate import Rows
from formats.faces import FACE_SIZE

Mask = NDArray[np.bool_]  # (48, 48)

BLACK_PERCENT = 2  # of a picture's pixels are as dark as its darkest places
GRAY_HAIR = 0.6  # of the way from there to the skin's gray level: hair as light as this is gray
LINE_REACH = 2  # pixels from a line to the skin on both sides of it
_BLOCK = 500  # faces at once
_SMOOTH = np.array([1, 4, 6, 4, 1]) / 16
_SLIGHTLY = np.array([1, 2, 1]) / 4
_LEAST = 1.0  # gray level that a difference of skin and black, or a deviation, is at least taken as

_down, _right = np.mgrid[:FACE_SIZE, :FACE_SIZE] - (FACE_SIZE - 1) / 2
_aside = np.abs(_right)


def _box(rows: tuple[int, int], aside: tuple[int, int]) -> Mask:
    """Rows first … last − 1, and columns this far from the middle, on both sides."""
    line = np.arange(FACE_SIZE)[:, None]
    is_row = (line >= rows[0]) & (line < rows[1])
    inside: Mask = is_row & (_aside >= aside[0]) & (_aside < aside[1])
    return inside


_oval = (_right / 21) ** 2 + (_down / 27) ** 2
_HAIR: Mask = (_oval >= 1) & (_oval <= 1.2**2) & (_down < -8)  # noqa: PLR2004  # rows 0 … 15
_SKIN = _box((20, 34), (0, 14))
_FACE = _box((8, 40), (0, 16))
_LINES: Mapping[str, tuple[int, Mask]] = {  # the axis across the lines, and where they are
    "forehead": (1, _box((3, 10), (0, 6))),
    "crows_feet": (1, _box((11, 18), (16, 21))),
    "under_the_eyes": (1, _box((17, 22), (6, 15))),
    "cheeks": (2, _box((24, 37), (8, 14))),
}


def gray_hair(faces: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The share of the hair's place that is light: 0 … 1.

    The place is the part above row 16 of a ring round the head, between the ellipses of half axes
    21 × 27 and 1.2 times that round the picture's middle. The picture is smoothed by (1 4 6 4 1)/16
    both ways. On each side, apart, as light often comes from one side, a pixel there is light when
    it is lighter than black + 0.6·(skin − black): black is the 2nd percentile of the picture, skin
    the median of rows 20 … 33 within 14 columns of the middle, on that side. The share is the mean
    of both sides'. A bald head counts as light, and so may a wall that is seen there.

    Args:
        faces: gray, uint8 (N, 48, 48), N at least 1.

    Returns:
        Float64 (N,).

    Raises:
        ValueError: faces are not as above.
    """
    check_faces(faces)
    return np.concatenate([_light_share(part) for part in _blocks(faces)])


def wrinkles(faces: NDArray[np.uint8]) -> NDArray[np.float64]:
    """How strong dark lines are where wrinkles come, relative to the face's contrast.

    A line's strength at a pixel is how much darker it is than the mean of the pixels 2 before and 2
    behind it across the line, where it is darker, after smoothing by (1 2 1)/4 across and
    (1 4 6 4 1)/16 along the line: a band-pass round periods of 4 pixels (a light line counts too,
    by the dark that it leaves beside it). It is averaged over four
    places: horizontal lines on the forehead (rows 3 … 9, within 6 columns of the middle), at the
    outer corners of the eyes (rows 11 … 17, 16 to 21 columns from it) and under the eyes (rows
    17 … 21, 6 to 15), and vertical ones on the cheeks (rows 24 … 36, 8 to 14). The mean of the four
    is divided by the standard deviation of gray levels in rows 8 … 39 within 16 columns.

    Args:
        faces: gray, uint8 (N, 48, 48), N at least 1.

    Returns:
        Float64 (N,), at least 0, about 0.03 … 0.1 on synthetic faces.

    Raises:
        ValueError: faces are not as above.
    """
    check_faces(faces)
    return np.concatenate([_line_strength(part) for part in _blocks(faces)])


CUES = {"gray_hair": gray_hair, "wrinkles": wrinkles}


def _blocks(faces: NDArray[np.uint8]) -> list[Rows]:
    starts = range(0, len(faces), _BLOCK)
    return [faces[first : first + _BLOCK].astype(np.float64) for first in starts]


def _light_share(faces: Rows) -> Rows:
    smooth = _filter(_filter(faces, 1, _SMOOTH), 2, _SMOOTH)
    black = np.percentile(smooth.reshape(len(faces), -1), BLACK_PERCENT, axis=1)
    shares = []
    for side in (_right < 0, _right > 0):
        skin = np.median(smooth[:, _SKIN & side], axis=1)
        limit = black + GRAY_HAIR * np.maximum(skin - black, _LEAST)
        shares.append((smooth[:, _HAIR & side] > limit[:, None]).mean(1))
    share: Rows = np.mean(shares, axis=0)
    return share


def _line_strength(faces: Rows) -> Rows:
    found = []
    for across, place in _LINES.values():
        smooth = _filter(_filter(faces, across, _SLIGHTLY), 3 - across, _SMOOTH)
        beside = np.zeros(2 * LINE_REACH + 1)
        beside[[0, -1]], beside[LINE_REACH] = 1 / 2, -1
        darker = _filter(smooth, across, beside)
        found.append(np.maximum(darker[:, place], 0).mean(1))
    strength: Rows = np.mean(found, axis=0) / np.maximum(faces[:, _FACE].std(1), _LEAST)
    return strength


def _filter(faces: Rows, axis: int, weights: Rows) -> Rows:
    """Weigh neighbours along an axis of (N, 48, 48), the border repeated."""
    reach = len(weights) // 2
    around = [(0, 0)] * 3
    around[axis] = (reach, reach)
    padded = np.moveaxis(np.pad(faces, around, "edge"), axis, -1)
    filtered = sum(w * padded[..., i : i + FACE_SIZE] for i, w in enumerate(weights))
    return np.moveaxis(np.asarray(filtered), -1, axis)
