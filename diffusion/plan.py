"""Samplers as tables: a plan says for each step what to do, in numbers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypedDict, Unpack

import torch
from torch import Tensor

from diffusion.process import GaussianProcess
from diffusion.timesteps import Timesteps, choose_timesteps, half_log_snr

Sampler = Literal["ddpm", "ddim", "dpmpp_2m"]


class SamplerOptions(TypedDict, total=False):
    """What the samplers read, each what it knows.

    Attributes:
        variance: of ddpm's noise: "beta" (the default) is β_t, best at many steps; "posterior" is
            the variance of q(z_p | z_t, x_0).
        eta: of ddim's noise, 0 (the default: none) … 1 (ddpm's with variance "posterior").
    """

    variance: Literal["beta", "posterior"]
    eta: float


@dataclass(frozen=True, eq=False)
class Plan:
    """What each step of a sampler does; float64 (n,) on the CPU unless said otherwise.

    A step predicts x_0 = p·z − q·eps and moves to z' = a·z + b·x_0 + c·x_0(previous) + σ·noise.

    Attributes:
        timesteps: int64 (n,), falling, within 0 and T − 1: what the network receives.
        p: of z, in x_0.
        q: of eps, in x_0.
        a: of z, in z'.
        b: of x_0, in z'.
        c: of the step before's x_0, in z'; 0 for the samplers of one step.
        sigma: of fresh noise, in z'; 0 in the last step.
        clip_x_0: whether x_0 is clipped to [-1, 1].
    """

    timesteps: Tensor
    p: Tensor
    q: Tensor
    a: Tensor
    b: Tensor
    c: Tensor
    sigma: Tensor
    clip_x_0: bool = False

    def __len__(self) -> int:
        """How many steps there are."""
        return len(self.timesteps)


class _Row(NamedTuple):
    a: Tensor
    b: Tensor
    c: Tensor
    sigma: Tensor


def plan(
    sampler: Sampler,
    betas: Tensor,
    num_inference_steps: int,
    *,
    clip_x_0: bool = False,
    start_t: int | None = None,
    timesteps: Timesteps = "logsnr",
    **options: Unpack[SamplerOptions],
) -> Plan:
    """Compute the table of a sampler, once, in float64.

    Sources: at `ddpm`, `ddim` and `dpmpp_2m`, and for the timesteps in `diffusion.timesteps`.

    Args:
        sampler: "ddpm", "ddim" or "dpmpp_2m".
        betas: of the schedule that the network was trained on, (T,).
        num_inference_steps: how many timesteps to visit, the start among them.
        clip_x_0: whether each predicted x_0 is clipped to [-1, 1].
        start_t: where z stands at first, within 0 and T − 1; T − 1 by default.
        timesteps: which ones to visit: evenly spaced in "logsnr", or "trailing" in t. It makes no
            difference where all of them are.
        **options: see `SamplerOptions`.

    Returns:
        The plan, with num_inference_steps rows; the last one adds no noise.

    Raises:
        ValueError: an argument is outside its range.
    """
    if sampler not in SAMPLERS:
        raise ValueError(f"sampler must be one of {', '.join(SAMPLERS)}, not {sampler!r}")
    alphas_cumprod = GaussianProcess(betas).alphas_cumprod
    start_t = len(alphas_cumprod) - 1 if start_t is None else start_t
    visited = choose_timesteps(timesteps, alphas_cumprod, num_inference_steps, start_t)
    abar_t = alphas_cumprod[visited]
    abar_p = torch.cat([abar_t[1:], torch.ones(1, dtype=torch.float64)])
    row = SAMPLERS[sampler](abar_t, abar_p, options)
    sigma = row.sigma.clone()
    sigma[-1] = 0
    p, q = abar_t.rsqrt(), ((1 - abar_t) / abar_t).sqrt()
    return Plan(visited, p, q, row.a, row.b, row.c, sigma, clip_x_0)


def ddpm(abar_t: Tensor, abar_p: Tensor, options: SamplerOptions) -> _Row:
    """Ancestral sampling in its posterior form, for any spacing: alpha is abar_t / abar_p.

    Source: Ho et al. 2020 (DDPM, arXiv:2006.11239), equations 6 and 7, algorithm 2; the same as
    Prince, Understanding Deep Learning, algorithm 18.2, where x_0 is not clipped.
    """
    variance = options.get("variance", "beta")
    alpha = abar_t / abar_p
    beta = 1 - alpha
    a = alpha.sqrt() * (1 - abar_p) / (1 - abar_t)
    b = abar_p.sqrt() * beta / (1 - abar_t)
    if variance == "beta":
        return _Row(a, b, torch.zeros_like(a), beta.sqrt())
    if variance == "posterior":
        return _Row(a, b, torch.zeros_like(a), (beta * (1 - abar_p) / (1 - abar_t)).sqrt())
    raise ValueError(f"variance must be 'beta' or 'posterior', not {variance!r}")


def ddim(abar_t: Tensor, abar_p: Tensor, options: SamplerOptions) -> _Row:
    """Implicit sampling; eps is what z and the (clipped) x_0 imply.

    Source: Song et al. 2021 (DDIM, arXiv:2010.02502), equations 12 and 16.
    """
    eta = options.get("eta", 0.0)
    if not 0 <= eta <= 1:
        raise ValueError(f"eta must be within 0 and 1, not {eta}")
    sigma = eta * ((1 - abar_p) / (1 - abar_t) * (1 - abar_t / abar_p)).sqrt()
    a = ((1 - abar_p - sigma**2) / (1 - abar_t)).sqrt()
    return _Row(a, abar_p.sqrt() - a * abar_t.sqrt(), torch.zeros_like(a), sigma)


def dpmpp_2m(abar_t: Tensor, abar_p: Tensor, _options: SamplerOptions) -> _Row:
    """DPM-Solver++(2M): two predictions of x_0 extrapolate how it changes over a step, no noise.

    The first and the last step are of first order, and so equal to ddim's.

    Source: Lu et al. 2022 (DPM-Solver++, arXiv:2211.01095), algorithm 2 and equation 9.
    """
    first_order = ddim(abar_t, abar_p, {})
    h = half_log_snr(abar_t).diff()  # of the steps but the last, which leads to infinity
    c = torch.zeros_like(abar_t)
    c[1:-1] = -first_order.b[1:-1] * h[1:] / (2 * h[:-1])
    return _Row(first_order.a, first_order.b - c, c, first_order.sigma)


SAMPLERS: Mapping[str, Callable[[Tensor, Tensor, SamplerOptions], _Row]] = {
    "ddpm": ddpm,
    "ddim": ddim,
    "dpmpp_2m": dpmpp_2m,
}
