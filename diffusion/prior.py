"""Where sampling starts: pure noise, or what the noise schedule makes of the data by its end.

The course's schedule ends at abar_T = 0.0063, not at 0. At that end faces still differ in what is
largest in them, their brightness above all, so that starting from N(0, I) makes all of them grayer
than they should be, whatever the sampler and however many its steps.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffusion.noise import Purpose, noise
from diffusion.process import GaussianProcess
from diffusion.sampling import FACE_SHAPE

CHUNK = 4096  # faces that are held as float64 at once
LEAST_SHARE = 1e-6  # of the largest variance: below it a direction would be mostly rounding
GRAY_SCALE = 127.5  # gray levels per unit of [-1, 1]


@dataclass(frozen=True, eq=False)
class DataPrior:
    """The Gaussian nearest to a set of pictures in [-1, 1], along its leading directions.

    Attributes:
        mean: picture, float (H, W).
        components: k orthonormal directions, float (k, H, W), the one of most variance first.
        deviations: of the data along each component, float (k,).
    """

    mean: Tensor
    components: Tensor
    deviations: Tensor


def fit_prior(faces: NDArray[np.uint8], count: int = 16) -> DataPrior:
    """Fit a prior to faces: their mean and leading principal components.

    The moments are exact, since sums of products of gray levels are integers that float64 holds;
    the components are those of an eigendecomposition, their largest entry positive.

    Args:
        faces: gray levels, uint8 (N, H, W); 40,000 of 48×48 take half a minute on one core.
        count: k, of components, within 1 and H·W.

    Returns:
        The prior, float32.

    Raises:
        ValueError: an argument is not as said.
    """
    if faces.dtype != np.uint8 or faces.ndim != 3 or not faces.size:  # noqa: PLR2004  # N, H, W
        raise ValueError(f"faces must be uint8 (N, H, W), not {faces.dtype} {faces.shape}")
    size = faces[0].size
    if not 1 <= count <= size:
        raise ValueError(f"count must be within 1 and {size}, not {count}")
    rows = faces.reshape(len(faces), size)
    mean = rows.sum(axis=0, dtype=np.int64) / len(faces)
    leading, variances = _few_components(rows, mean, count) or _all_components(rows, mean)
    leading, variances = leading[:count], variances[:count]
    largest = np.abs(leading).argmax(axis=1)
    leading = leading * np.sign(leading[np.arange(count), largest])[:, None]
    deviations = np.sqrt(variances.clip(min=0)) / GRAY_SCALE
    return DataPrior(
        torch.from_numpy(mean / GRAY_SCALE - 1).float().reshape(faces.shape[1:]),
        torch.from_numpy(leading).float().reshape(count, *faces.shape[1:]),
        torch.from_numpy(deviations).float(),
    )


def _all_components(
    rows: NDArray[np.uint8], mean: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Directions (H·W, H·W) and variances (H·W,), the one of most variance first."""
    products = np.zeros((len(mean), len(mean)))
    for first in range(0, len(rows), CHUNK):
        chunk = rows[first : first + CHUNK].astype(np.float64)
        products += chunk.T @ chunk
    variances, directions = np.linalg.eigh(products / len(rows) - np.outer(mean, mean))
    return directions[:, ::-1].T, variances[::-1]


def _few_components(
    rows: NDArray[np.uint8], mean: NDArray[np.float64], count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """The same for fewer faces than pixels, by a smaller matrix; None where they say too little.

    The faces' products with each other have the same eigenvalues as the pixels'.
    """
    if not count < len(rows) < len(mean):
        return None
    centred = rows - mean
    variances, weights = np.linalg.eigh(centred @ centred.T / len(rows))
    variances, weights = variances[::-1][:count], weights[:, ::-1][:, :count]
    if variances[-1] < LEAST_SHARE * variances[0]:
        return None
    return (centred.T @ weights / np.sqrt(variances * len(rows))).T, variances


def start_noise(
    prior: DataPrior | None,
    betas: Tensor,
    seed: int,
    image_indices: Sequence[int],
    *,
    shape: tuple[int, ...] = FACE_SHAPE,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Draw z_T, where sampling starts at timestep T − 1; image i depends on the seed and i alone.

    With a prior z_T = sqrt(abar_T)·(mean + Σ xi_j·deviation_j·component_j) + sqrt(1 − abar_T)·eps,
    which is the law q(z_T) of data that follow the prior.

    Args:
        prior: what is known of the data; None for the book's z_T ~ N(0, I).
        betas: of the schedule that the network was trained on, (T,).
        seed: the job's, within 0 and 2**64 − 1.
        image_indices: of n images within their job, each within 0 and 2**32 − 1.
        shape: of one image (C, H, W); H and W must be the prior's.
        dtype: float32 or float64.

    Returns:
        (n, *shape) on the CPU.

    Raises:
        ValueError: a number is outside its range, or the prior is of another shape.
    """
    if prior is None:
        return noise(seed, image_indices, 0, shape, Purpose.START, dtype=dtype)
    if prior.mean.shape != shape[1:]:
        raise ValueError(
            f"the prior is of pictures {tuple(prior.mean.shape)}, but {tuple(shape[1:])} are asked"
        )
    exact = torch.float64
    eps = noise(seed, image_indices, 0, shape, Purpose.START, dtype=exact)
    xi = noise(seed, image_indices, 0, prior.deviations.shape, Purpose.PRIOR, dtype=exact)
    directions = prior.deviations.to(exact)[:, None, None] * prior.components.to(exact)
    pictures = prior.mean.to(exact).expand(len(eps), *shape[1:])
    # One component after the other: a matrix product would round by the company.
    for number, direction in enumerate(directions):
        pictures = pictures + xi[:, number, None, None] * direction
    t = torch.full((len(eps),), len(betas) - 1)
    return GaussianProcess(betas).q_sample(pictures[:, None], t, eps).to(dtype)
