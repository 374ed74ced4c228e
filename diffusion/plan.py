"""Samplers as tables: a plan says for each step what to do, in numbers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypedDict, Unpack

import torch
from torch import Tensor

from diffusion.process import GaussianProcess

Sampler = Literal["ddpm", "ddim"]


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
    **options: Unpack[SamplerOptions],
) -> Plan:
    """Compute the table of a sampler, once, in float64.

    Source: Lin et al. 2023 (arXiv:2305.08891), table 2, for the "trailing" timesteps; for the
    samplers see `ddpm` and `ddim`.

    Args:
        sampler: "ddpm" or "ddim".
        betas: of the schedule that the network was trained on, (T,).
        num_inference_steps: how many timesteps to visit, evenly spaced, the start among them.
        clip_x_0: whether each predicted x_0 is clipped to [-1, 1].
        start_t: where z stands at first, within 0 and T − 1; T − 1 by default.
        **options: see `SamplerOptions`.

    Returns:
        The plan, with num_inference_steps rows; the last one adds no noise.

    Raises:
        ValueError: an argument is outside its range.
    """
    if sampler not in SAMPLERS:
        raise ValueError(f"sampler must be one of {', '.join(SAMPLERS)}, not {sampler!r}")
    alphas_cumprod = GaussianProcess(betas).alphas_cumprod
    last = len(alphas_cumprod) - 1
    timesteps = trailing_timesteps(num_inference_steps, last if start_t is None else start_t, last)
    abar_t = alphas_cumprod[timesteps]
    abar_p = torch.cat([abar_t[1:], torch.ones(1, dtype=torch.float64)])
    row = SAMPLERS[sampler](abar_t, abar_p, options)
    sigma = row.sigma.clone()
    sigma[-1] = 0
    p, q = abar_t.rsqrt(), ((1 - abar_t) / abar_t).sqrt()
    return Plan(timesteps, p, q, row.a, row.b, row.c, sigma, clip_x_0)


def trailing_timesteps(num_inference_steps: int, start_t: int, last_t: int) -> Tensor:
    """Timesteps evenly spaced from `start_t` down, spacing after the last: int64, falling.

    Raises:
        ValueError: the start is not within 0 and last_t, or there are more steps than timesteps.
    """
    if not 0 <= start_t <= last_t:
        raise ValueError(f"start_t must be within 0 and {last_t}, not {start_t}")
    if not 1 <= num_inference_steps <= start_t + 1:
        raise ValueError(
            f"num_inference_steps must be within 1 and {start_t + 1}, not {num_inference_steps}"
        )
    done = torch.arange(num_inference_steps, dtype=torch.float64) / num_inference_steps
    return ((start_t + 1) * (1 - done)).round().long() - 1


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


SAMPLERS: Mapping[str, Callable[[Tensor, Tensor, SamplerOptions], _Row]] = {
    "ddpm": ddpm,
    "ddim": ddim,
}
