"""The noise schedule and the notation, which all parts have in common."""

from math import sqrt

from reports import formulas as f
from reports.contents import Block, Formula, Heading, Paragraph, Table
from reports.material import CheckpointFile, Material
from reports.sections.common import fixed

SHOWN = (0, 0.1, 0.25, 0.5, 0.75, 1)  # of T


def schedule_section(material: Material) -> list[Block]:
    """The schedule of the first noise predictor that any job used or made."""
    predictors = [
        checkpoint
        for job in material.jobs
        for checkpoint in job.checkpoints
        if "timesteps" in checkpoint.facts
    ]
    blocks: list[Block] = [
        Heading("Noise schedule and notation"),
        Paragraph(
            [
                "Faces are gray, 48×48 pixels, scaled from 0 … 255 to −1 … 1. A face ",
                f.X,
                " is turned into noise in ",
                f.T,
                " small steps; the network ",
                f.NETWORK,
                " is trained to say the noise that is in ",
                f.Z_T,
                ". The noise of step ",
                f.t,
                " has the variance ",
                f.BETA_T,
                ":",
            ]
        ),
        f.SCHEDULE,
        Paragraph(
            ["All steps up to ", f.t, " together are one Gaussian step, the diffusion kernel:"]
        ),
        f.KERNEL,
        Paragraph(
            [
                "The notation is that of Ho et al. (2020), with the timesteps 1 … ",
                f.T,
                " of Prince, who writes ",
                f.ALPHA_T,
                " for ",
                f.ABAR_T,
                ".",
            ]
        ),
    ]
    return blocks + (_numbers(predictors[0]) if predictors else [])


def alphas_cumprod(checkpoint: CheckpointFile) -> tuple[list[float], list[float]]:
    """β and ᾱ of a checkpoint's schedule, t = 1 … T."""
    count = int(checkpoint.facts["timesteps"])
    first = float(checkpoint.facts.get("beta_start", 1e-4))
    last = float(checkpoint.facts.get("beta_end", 0.01))
    betas = [first + (last - first) * step / max(1, count - 1) for step in range(count)]
    cumulative = []
    product = 1.0
    for beta in betas:
        product *= 1 - beta
        cumulative.append(product)
    return betas, cumulative


def _numbers(checkpoint: CheckpointFile) -> list[Block]:
    betas, cumulative = alphas_cumprod(checkpoint)
    count = len(betas)
    shown = sorted({max(1, round(share * count)) for share in SHOWN})
    rows = [
        (
            str(t),
            f"{betas[t - 1]:.5f}",
            fixed(cumulative[t - 1], 4),
            fixed(sqrt(cumulative[t - 1]), 4),
            fixed(sqrt(1 - cumulative[t - 1]), 4),
        )
        for t in shown
    ]
    head = (
        f.t,
        f.BETA_T,
        f.ABAR_T,
        Formula("sqrt(overline(alpha)_t)", "root alpha-bar t"),
        Formula("sqrt(1 - overline(alpha)_t)", "root of 1 minus alpha-bar t"),
    )
    caption = (
        f"The schedule of the networks used here: T = {count}, β from {betas[0]:g} to "
        f"{betas[-1]:g}. The last columns are the shares of face and noise in z."
    )
    return [Table(caption, head, rows, is_numeric=True)]
