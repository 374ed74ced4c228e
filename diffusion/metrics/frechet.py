"""The Fréchet distance between two sets of features."""

import numpy as np
from numpy.typing import NDArray

from diffusion.metrics.estimate import Rows

MIN_FACES = 100  # a covariance of 64 features needs more than 64


def frechet_distance(a: Rows, b: Rows) -> float:
    """|μ_a − μ_b|² + tr(C_a + C_b − 2 (C_a C_b)^½), of the normal laws with these moments.

    The last trace is taken as the sum of the singular values of C_a^½ C_b^½: real and stable also
    where a covariance is singular, which a square root of the product is not.

    Source: Heusel et al. 2017 (arXiv:1706.08500), equation 6 (their d², usually called FID).

    Args:
        a: features of one set, (N, d).
        b: of the other, (M, d).

    Returns:
        The squared distance, at least 0; too large by about c (1/N + 1/M), so compare figures of
        equal N and M only.

    Raises:
        ValueError: a set has fewer than 100 rows, or d + 1 where that is more, or d differs.
    """
    check_features(a, b, max(MIN_FACES, a.shape[-1] + 1))
    difference = a.mean(0) - b.mean(0)
    root_a, trace_a = _root_of_covariance(a)
    root_b, trace_b = _root_of_covariance(b)
    overlap = np.linalg.svd(root_a @ root_b, compute_uv=False).sum()
    return float(max(difference @ difference + trace_a + trace_b - 2 * overlap, 0.0))


def check_features(a: Rows, b: Rows, least: int) -> None:
    """Refuse features that are not (N, d) and (M, d), both at least `least`, with a ValueError."""
    for rows in (a, b):
        if rows.ndim != len("nd") or rows.shape[1:] != a.shape[1:] or len(rows) < least:
            raise ValueError(
                f"features must be (N, d) and (M, d), N and M at least {least}, "
                f"not {a.shape} and {b.shape}"
            )
        if not np.isfinite(rows).all():
            raise ValueError("features must be finite; some are NaN or infinite")


def _root_of_covariance(rows: Rows) -> tuple[NDArray[np.float64], float]:
    covariance = np.cov(rows, rowvar=False, dtype=np.float64).reshape(rows.shape[1], -1)
    values, vectors = np.linalg.eigh(covariance)
    root: NDArray[np.float64] = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    return root, float(np.trace(covariance))
