"""The kernel distance between two sets of features."""

import math

import numpy as np
from numpy.typing import NDArray

from diffusion.metrics.estimate import Estimate, Rows
from diffusion.metrics.frechet import check_features

LARGEST_SUBSET = 1000
MIN_SUBSET = 2


def kid(
    a: Rows, b: Rows, *, subsets: int = 100, subset_size: int | None = None, seed: int = 0
) -> Estimate:
    """The squared maximum mean discrepancy for the kernel (x·y / d + 1)³, without bias.

    Subsets overlap, so the deviation of their mean is not that of independent ones: the error
    takes n / subset_size of them for independent. It is right where the sets differ clearly, and
    too large (up to √(n / subset_size) times) where they do not.

    Source: Bińkowski et al. 2018 (arXiv:1801.01401), equation 4 and section 4.

    Args:
        a: features of one set, (N, d).
        b: of the other, (M, d).
        subsets: how many random subsets are compared.
        subset_size: rows in each; by default a quarter of the smaller set, at most 1000.
        seed: of the subsets.

    Returns:
        The mean over subsets, 0 in expectation for sets of one law (so it may be negative), and
        its standard error.

    Raises:
        ValueError: subsets is below 2, subset_size not within 2 and half of the smaller set, or
            the features are not as above.
    """
    check_features(a, b, 2 * MIN_SUBSET)
    n = min(len(a), len(b))
    size = max(MIN_SUBSET, min(LARGEST_SUBSET, n // 4)) if subset_size is None else subset_size
    if not MIN_SUBSET <= size <= n // 2 or subsets < 2:  # noqa: PLR2004  # a deviation needs 2
        raise ValueError(
            f"subset_size must be within {MIN_SUBSET} and {n // 2} and subsets at least 2, "
            f"not {size} and {subsets}"
        )
    generator = np.random.default_rng(seed)
    found = np.array(
        [
            _unbiased_mmd2(
                a[generator.choice(len(a), size, replace=False)],
                b[generator.choice(len(b), size, replace=False)],
            )
            for _ in range(subsets)
        ]
    )
    # Drawn without replacement, subsets differ less than independent ones would.
    of_one = found.var(ddof=1) / (1 - size / n)
    return Estimate(float(found.mean()), math.sqrt(of_one * min(1.0, size / n + 1 / subsets)))


def _unbiased_mmd2(x: Rows, y: Rows) -> float:
    n = len(x)
    within_x, within_y = _kernel(x, x), _kernel(y, y)
    within = within_x.sum() - within_x.trace() + within_y.sum() - within_y.trace()
    return float(within / (n * (n - 1)) - 2 * _kernel(x, y).mean())


def _kernel(x: Rows, y: Rows) -> NDArray[np.float64]:
    base: NDArray[np.float64] = x @ y.T / x.shape[1] + 1
    return base * base * base
