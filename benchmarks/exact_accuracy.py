"""What a sampler does to Gaussian data when the network is perfect: exact, nothing is drawn.

Data whose modes (principal components) are independent N(0, s²) have the ideal
eps(z, t) = sqrt(1 − abar)·z / (abar·s² + 1 − abar), so that z and x_0 stay Gaussian and their
covariances follow from the plan alone.
"""

import torch
from torch import Tensor

from diffusion import GaussianProcess, Plan, linear_betas

ABAR = GaussianProcess(linear_betas()).alphas_cumprod


def ideal_eps(z: Tensor, t: Tensor, deviations: Tensor) -> Tensor:
    """The perfect network where every pixel is a mode of its own."""
    abar = ABAR[t].reshape(-1, *[1] * (z.ndim - 1))
    return (1 - abar).sqrt() * z / (abar * deviations**2 + 1 - abar)


def terminal_deviations(deviations: Tensor) -> Tensor:
    """Of z_T, if it were noised data."""
    return (ABAR[-1] * deviations**2 + 1 - ABAR[-1]).sqrt()


def sampled_deviations(table: Plan, deviations: Tensor, at_start: Tensor) -> Tensor:
    """Standard deviations of the samples along modes of these deviations, from those of z_T."""
    zz, zx, xx = at_start**2, torch.zeros_like(deviations), torch.zeros_like(deviations)
    for row in range(len(table)):
        t = table.timesteps[row].reshape(1)
        p, q, a, b, c, sigma = (getattr(table, n)[row] for n in ("p", "q", "a", "b", "c", "sigma"))
        gain = p - q * ideal_eps(torch.ones(1, len(deviations)).double(), t, deviations)[0]
        move = a + b * gain
        zz, zx, xx = (
            move**2 * zz + 2 * move * c * zx + c**2 * xx + sigma**2,
            gain * (move * zz + c * zx),
            gain**2 * zz,
        )
    return zz.sqrt()
