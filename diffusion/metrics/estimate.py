"""Figures with their standard errors, and what real faces would get in their place."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[Any]  # one row per face: features, or numbers read off the pixels
Metric = Callable[[Rows, Rows], float]

RESAMPLES = 50


class Estimate(NamedTuple):
    """A figure and how far it would move if as many other faces were drawn."""

    mean: float
    standard_error: float


def split(count: int, n: int, seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Two disjoint random samples of n of the indices 0 … count − 1.

    Raises:
        ValueError: n is below 1, or there are fewer than 2n.
    """
    if not 1 <= n <= count // 2:
        raise ValueError(
            f"two disjoint samples of {n} need 2 × {n} of the {count} faces; "
            f"n must be within 1 and {count // 2}"
        )
    order = np.random.default_rng(seed).permutation(count)
    return order[:n], order[n : 2 * n]


def split_floor(real: Rows, n: int, metric: Metric, seed: int = 0) -> float:
    """The metric between two disjoint random samples of n real faces: what perfection gets.

    Args:
        real: one row per real face, at least 2n of them.
        n: faces per sample; compare the floor with figures of as many faces.
        metric: of two sets of rows.
        seed: of the samples.

    Raises:
        ValueError: there are fewer than 2n faces.
    """
    first, second = split(len(real), n, seed)
    return metric(real[first], real[second])


def bootstrap_error(
    metric: Metric, a: Rows, b: Rows, *, resamples: int = RESAMPLES, seed: int = 0
) -> float:
    """The standard error of metric(a, b): its deviation when both sets are drawn anew from itself.

    Drawing with replacement makes distances to neighbours 0: not for metrics that are made of
    those. Where both sets follow the same law, squared distances get an error that is too large.

    Source: Efron 1979, Bootstrap methods: another look at the jackknife.

    Raises:
        ValueError: there are fewer than 2 resamples.
    """
    if resamples < 2:  # noqa: PLR2004  # of which a deviation can be taken
        raise ValueError(f"resamples must be at least 2, not {resamples}")
    generator = np.random.default_rng(seed)
    figures = [
        metric(
            a[generator.integers(len(a), size=len(a))], b[generator.integers(len(b), size=len(b))]
        )
        for _ in range(resamples)
    ]
    return float(np.std(figures, ddof=1))
