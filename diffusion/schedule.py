"""The noise schedule: how much noise each timestep adds."""

import torch
from torch import Tensor

NUM_TIMESTEPS = 1000  # T of the course's networks
BETA_START, BETA_END = 1e-4, 0.01


def linear_betas(
    num_timesteps: int = NUM_TIMESTEPS,
    beta_start: float = BETA_START,
    beta_end: float = BETA_END,
) -> Tensor:
    """Betas evenly spaced from `beta_start` to `beta_end`; the defaults are the course's.

    Source: Ho et al. 2020 (DDPM, arXiv:2006.11239), section 4; the course ends at 0.01, not 0.02.

    Args:
        num_timesteps: T, at least 1.
        beta_start: of the first timestep, within 0 and 1, both excluded.
        beta_end: of the last timestep, likewise.

    Returns:
        float32 (T,): rounded as the course's own table is.

    Raises:
        ValueError: an argument is outside its range.
    """
    if num_timesteps < 1:
        raise ValueError(f"num_timesteps must be at least 1, not {num_timesteps}")
    for beta in (beta_start, beta_end):
        if not 0 < beta < 1:
            raise ValueError(f"a beta must be within 0 and 1, both excluded, not {beta}")
    return torch.linspace(beta_start, beta_end, num_timesteps, dtype=torch.float32)


def check_betas(betas: Tensor) -> Tensor:
    """`betas` as float64 on the CPU, where all tables are computed.

    Raises:
        ValueError: they are no vector, or one lies outside (0, 1).
    """
    if betas.ndim != 1 or not len(betas):
        raise ValueError(f"betas must have shape (T,), not {tuple(betas.shape)}")
    exact = betas.detach().to("cpu", torch.float64)
    if not bool(((exact > 0) & (exact < 1)).all()):
        raise ValueError("every beta must be within 0 and 1, both excluded")
    return exact
