"""Which timesteps a sampler of few steps visits."""

from typing import Literal, get_args

import torch
from torch import Tensor

Timesteps = Literal["logsnr", "trailing"]


def choose_timesteps(
    timesteps: Timesteps, alphas_cumprod: Tensor, num_inference_steps: int, start_t: int
) -> Tensor:
    """Choose the timesteps to visit, the start first; as many as there are means all of them.

    Args:
        timesteps: "logsnr" or "trailing", see the functions of these names.
        alphas_cumprod: of the noise schedule, float64 (T,), falling.
        num_inference_steps: how many, within 1 and start_t + 1.
        start_t: where sampling begins, within 0 and T − 1.

    Returns:
        int64 (num_inference_steps,), strictly falling from start_t, within 0 and T − 1.

    Raises:
        ValueError: an argument is outside its range.
    """
    last_t = len(alphas_cumprod) - 1
    if timesteps not in get_args(Timesteps):
        raise ValueError(f"timesteps must be 'logsnr' or 'trailing', not {timesteps!r}")
    if not 0 <= start_t <= last_t:
        raise ValueError(f"start_t must be within 0 and {last_t}, not {start_t}")
    if not 1 <= num_inference_steps <= start_t + 1:
        raise ValueError(
            f"num_inference_steps must be within 1 and {start_t + 1}, not {num_inference_steps}"
        )
    if timesteps == "trailing":
        return trailing(num_inference_steps, start_t)
    return logsnr(alphas_cumprod, num_inference_steps, start_t)


def trailing(num_inference_steps: int, start_t: int) -> Tensor:
    """Timesteps evenly spaced from `start_t` down, the last one a whole spacing above x_0.

    Source: Lin et al. 2023 (arXiv:2305.08891), table 2.
    """
    done = torch.arange(num_inference_steps, dtype=torch.float64) / num_inference_steps
    return ((start_t + 1) * (1 - done)).round().long() - 1


def logsnr(alphas_cumprod: Tensor, num_inference_steps: int, start_t: int) -> Tensor:
    """Timesteps evenly spaced in log-SNR from `start_t` to 0, each the nearest trained one.

    Where the spacing is finer than the trained timesteps, which happens at the fine end, each of
    those is visited once, and the ones before make room.

    Source: Lu et al. 2022 (DPM-Solver, arXiv:2206.00927), section 3.3, "uniform λ".
    """
    lambdas = half_log_snr(alphas_cumprod)
    aims = torch.linspace(
        lambdas[start_t].item(), lambdas[0].item(), num_inference_steps, dtype=torch.float64
    )
    nearest = (aims[:, None] - lambdas[: start_t + 1]).abs().argmin(dim=1)
    index = torch.arange(num_inference_steps)
    # Strictly falling is t + index not rising; the bounds leave room for those before and after.
    bounded = nearest.clamp(min=num_inference_steps - 1 - index, max=start_t - index)
    return (bounded + index).flip(0).cummax(dim=0).values.flip(0) - index


def half_log_snr(alphas_cumprod: Tensor) -> Tensor:
    """λ = log(sqrt(abar) / sqrt(1 − abar)), half of the log-SNR."""
    return torch.logit(alphas_cumprod) / 2
