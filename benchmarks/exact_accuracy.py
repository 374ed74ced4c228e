"""What a sampler does to Gaussian data when the network is perfect: exact, nothing is drawn.

Data whose modes (principal components) are independent N(0, s²) have the ideal
eps(z, t) = sqrt(1 − abar)·z / (abar·s² + 1 − abar), so that z and x_0 stay Gaussian and their
covariances follow from the plan alone.

    python -m benchmarks.exact_accuracy --out docs/samplers.md
"""

import argparse
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.documents import table, write_block
from diffusion import GaussianProcess, Plan, linear_betas, plan

ABAR = GaussianProcess(linear_betas()).alphas_cumprod
BRIGHTNESS = 12.0  # of 48×48 faces: 48 times a deviation of 0.25 of their mean pixel in [-1, 1]
MODES = torch.tensor([BRIGHTNESS, 3, 1, 0.3, 0.1, 0.03], dtype=torch.float64)
SETTINGS: list[tuple[str, int, dict[str, Any]]] = [
    ("ddpm", 1000, {}),
    ("ddpm", 1000, {"variance": "posterior"}),
    ("ddpm", 250, {}),
    ("ddpm", 250, {"timesteps": "trailing"}),
    ("ddim", 1000, {}),
    ("ddim", 50, {}),
    ("ddim", 50, {"timesteps": "trailing"}),
    ("ddim", 20, {}),
    ("ddim", 20, {"timesteps": "trailing"}),
    ("dpmpp_2m", 50, {}),
    ("dpmpp_2m", 20, {}),
    ("dpmpp_2m", 20, {"timesteps": "trailing"}),
    ("dpmpp_2m", 15, {}),
    ("dpmpp_2m", 10, {}),
]


def ideal_eps(z: Tensor, t: Tensor, deviations: Tensor) -> Tensor:
    """The perfect network where every pixel is a mode of its own."""
    abar = ABAR[t].reshape(-1, *[1] * (z.ndim - 1))
    return (1 - abar).sqrt() * z / (abar * deviations**2 + 1 - abar)


def terminal_deviations(deviations: Tensor) -> Tensor:
    """Of z_T, if it were noised data."""
    return (ABAR[-1] * deviations**2 + 1 - ABAR[-1]).sqrt()


def sampled_deviations(steps: Plan, deviations: Tensor, at_start: Tensor) -> Tensor:
    """Standard deviations of the samples along modes of these deviations, from those of z_T."""
    zz, zx, xx = at_start**2, torch.zeros_like(deviations), torch.zeros_like(deviations)
    for row in range(len(steps)):
        t = steps.timesteps[row].reshape(1)
        p, q, a, b, c, sigma = (getattr(steps, n)[row] for n in ("p", "q", "a", "b", "c", "sigma"))
        gain = p - q * ideal_eps(torch.ones(1, len(deviations)).double(), t, deviations)[0]
        move = a + b * gain
        zz, zx, xx = (
            move**2 * zz + 2 * move * c * zx + c**2 * xx + sigma**2,
            gain * (move * zz + c * zx),
            gain**2 * zz,
        )
    return zz.sqrt()


def accuracy_table() -> str:
    """The samplers' ratios of sampled to true deviation, in Markdown."""
    rows = []
    for sampler, count, options in SETTINGS:
        steps = plan(sampler, linear_betas(), count, **options)  # type: ignore[arg-type]  # of a table
        from_noise = sampled_deviations(steps, MODES, torch.ones_like(MODES))[:1] / MODES[:1]
        from_data = sampled_deviations(steps, MODES, terminal_deviations(MODES)) / MODES
        ratios = [f"{ratio:.3f}" for ratio in torch.cat([from_noise, from_data]).tolist()]
        rows.append([f"`{sampler}`", str(count), ", ".join(options.values()), *ratios])
    modes = [f"{mode:g}" for mode in MODES.tolist()]
    return table(["sampler", "steps", "instead of the default", "12, `standard`", *modes], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the table of exact accuracy.")
    parser.add_argument("--out", type=Path, required=True, help="document with the marks 'exact'")
    write_block(parser.parse_args().out, "exact", accuracy_table())


if __name__ == "__main__":
    main()
