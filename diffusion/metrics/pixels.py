"""What can be read off the pixels: brightness, contrast, fineness of detail."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from diffusion.features import check_faces
from diffusion.metrics.estimate import Rows
from formats.faces import FACE_SIZE

BANDS = FACE_SIZE // 2  # 1 … 24 periods per picture, 24 the finest that pixels can show
_BLOCK = 1000  # faces transformed at once
_TERMS = 100  # of Kolmogorov's series, which is exact long before


class KolmogorovSmirnov(NamedTuple):
    """The test of two samples.

    Attributes:
        statistic: the largest difference between their distribution functions, 0 … 1.
        p_value: chance of one as large from two samples of the same law (asymptotic).
    """

    statistic: float
    p_value: float


def kolmogorov_smirnov(a: Rows, b: Rows) -> KolmogorovSmirnov:
    """Compare two samples of numbers, (N,) and (M,).

    Source: Stephens 1970, Use of the Kolmogorov-Smirnov … without extensive tables, for the
    correction of small samples; the distribution is Kolmogorov's.

    Raises:
        ValueError: a sample is empty or not of one axis.
    """
    if a.ndim != 1 or b.ndim != 1 or not len(a) or not len(b):
        raise ValueError(f"samples must be (N,) and (M,), not empty, not {a.shape} and {b.shape}")
    everything = np.concatenate([a, b])
    below_a = np.searchsorted(np.sort(a), everything, side="right") / len(a)
    below_b = np.searchsorted(np.sort(b), everything, side="right") / len(b)
    statistic = float(np.abs(below_a - below_b).max())
    root = math.sqrt(len(a) * len(b) / (len(a) + len(b)))
    return KolmogorovSmirnov(statistic, _exceeding((root + 0.12 + 0.11 / root) * statistic))


def brightness_ks(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> KolmogorovSmirnov:
    """Compare the mean gray levels of two sets of faces, uint8 (N, 48, 48) and (M, 48, 48)."""
    return kolmogorov_smirnov(brightness(a), brightness(b))


def contrast_ks(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> KolmogorovSmirnov:
    """Compare the standard deviations within the faces of two sets; arguments as above."""
    return kolmogorov_smirnov(contrast(a), contrast(b))


def brightness(faces: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The mean gray level of each face, 0 … 255: (N,)."""
    check_faces(faces)
    return faces.mean((1, 2), dtype=np.float64)


def contrast(faces: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The standard deviation of each face's gray levels: (N,)."""
    check_faces(faces)
    return faces.std((1, 2), dtype=np.float64)


def power_spectra(faces: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The power of each face in rings of equal frequency.

    Its mean is taken away and its edges are faded by a Hann window: the jump from one edge to the
    other would else hide how little fine detail there is.

    Args:
        faces: gray, uint8 (N, 48, 48).

    Returns:
        Float64 (N, 24): mean power at 1 … 24 periods per picture, in squared gray levels; a
        frequency belongs to the nearest ring, the corners beyond the last to none.
    """
    check_faces(faces)
    frequency = np.fft.fftfreq(FACE_SIZE, 1 / FACE_SIZE)
    radius = np.rint(np.hypot(frequency[:, None], frequency)).astype(int).ravel()
    rings = (radius[:, None] == np.arange(1, BANDS + 1)).astype(np.float64)
    rings /= rings.sum(0)
    fade = np.hanning(FACE_SIZE + 1)[:-1]
    window = fade[:, None] * fade
    window /= np.sqrt((window**2).sum())  # so that white noise has its variance as power
    spectra = np.empty((len(faces), BANDS))
    for first in range(0, len(faces), _BLOCK):
        part = faces[first : first + _BLOCK].astype(np.float64)
        waves = np.fft.fft2((part - part.mean((1, 2), keepdims=True)) * window)
        power = np.square(np.abs(waves)).reshape(len(part), -1)
        spectra[first : first + _BLOCK] = power @ rings
    return spectra


def radial_power_spectrum(faces: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The mean of `power_spectra` over faces, float64 (24,)."""
    return power_spectra(faces).mean(0)


def spectrum_ratio(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Power of the faces a by that of b in each ring, (24,): below 1 where a lacks detail.

    Raises:
        ValueError: the faces are not uint8 (N, 48, 48), or b has no power in a ring.
    """
    return _ratio(power_spectra(a), power_spectra(b))


def spectrum_deviation(a: Rows, b: Rows) -> float:
    """How far two spectra lie apart: mean over rings of |10 lg(power of a / power of b)|, in dB.

    Args:
        a: `power_spectra` of one set, (N, 24).
        b: of the other, (M, 24).
    """
    return float(np.abs(10 * np.log10(_ratio(a, b))).mean())


def _ratio(a: Rows, b: Rows) -> NDArray[np.float64]:
    above, below = a.mean(0), b.mean(0)
    if not (above > 0).all() or not (below > 0).all():
        raise ValueError("a set of faces without any structure in a ring has no spectrum ratio")
    ratio: NDArray[np.float64] = above / below
    return ratio


def _exceeding(x: float) -> float:
    """The chance that Kolmogorov's distribution gives more than x."""
    if x < 0.2:  # noqa: PLR2004  # where the series converges slowly, and is 1 to 12 digits
        return 1.0
    k = np.arange(1, _TERMS + 1)
    return float(np.clip(2 * ((-1.0) ** (k - 1) * np.exp(-2 * (k * x) ** 2)).sum(), 0, 1))
