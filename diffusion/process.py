"""The forward process: a picture loses itself in noise."""

import torch
from torch import Tensor

from diffusion.schedule import check_betas


class GaussianProcess:
    """q(z_t | x_0) of a noise schedule.

    Source: Ho et al. 2020 (DDPM, arXiv:2006.11239), equation 4; Prince, Understanding Deep
    Learning, section 18.2, whose alpha_t is `alphas_cumprod` here.

    Attributes:
        betas: float64 (T,).
        alphas_cumprod: float64 (T,), falling; entry t belongs to the book's timestep t + 1.
    """

    def __init__(self, betas: Tensor) -> None:
        """Make the tables of these betas, (T,), each within 0 and 1."""
        self.betas = check_betas(betas)
        self.alphas_cumprod = torch.cumprod(1 - self.betas, dim=0)

    def q_sample(self, x_0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
        """Noise pictures to the given timesteps: sqrt(abar_t)·x_0 + sqrt(1 − abar_t)·eps.

        Args:
            x_0: pictures (B, C, H, W), in [-1, 1].
            t: int64 (B,), within 0 and T − 1: 0 is one noising step.
            eps: standard normal noise, of x_0's shape.

        Returns:
            z_t, of x_0's shape and dtype.
        """
        abar = self.alphas_cumprod[t.cpu()].reshape(-1, *[1] * (x_0.ndim - 1))
        signal, spread = (c.to(x_0.device, x_0.dtype) for c in (abar.sqrt(), (1 - abar).sqrt()))
        return signal * x_0 + spread * eps
