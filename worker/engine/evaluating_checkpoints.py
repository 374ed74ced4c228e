"""Figures of a checkpoint: how well it predicts noise, in each tenth of the timesteps."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffusion import Checkpoint, predictor
from diffusion.metrics.losses import eps_errors
from diffusion.training_data import TENTHS
from formats.faces import Faces
from worker.engine.device import Device
from worker.engine.shard import ShardRun

PERCENT = 100


def checkpoint_figures(
    shard: ShardRun, device: Device, checkpoint: Checkpoint, faces: Faces, seed: int
) -> dict[str, Any]:
    """The mean squared error of eps in each tenth of the timesteps.

    Raises:
        InterruptedShard: the consumer asked for it.
    """
    predict = predictor(checkpoint.model, device.device, device.dtype)
    figures = []
    for tenth in range(TENTHS):
        parts = []
        for part in eps_errors(predict, checkpoint.betas, faces, tenth, seed, device.device):
            parts.append(part)
            shard.between_steps()
        figures.append(_loss_figure(tenth, len(checkpoint.betas), np.concatenate(parts)))
        shard.done = PERCENT * (tenth + 1) // TENTHS
    by_tenth = [figure["value"] for figure in figures]
    loss = sum(by_tenth) / TENTHS
    told = {"n": len(faces), "seed": seed, "loss": loss, "loss_by_tenth": by_tenth}
    return told | {"figures": figures}


def _loss_figure(tenth: int, timesteps: int, errors: NDArray[np.float64]) -> dict[str, Any]:
    """As one of `diffusion.metrics.evaluation.Figure`; what no network reaches has no floor."""
    first, last = tenth * timesteps // TENTHS + 1, (tenth + 1) * timesteps // TENTHS
    return {
        "name": f"eps_loss_t_{first}_to_{last}",
        "value": float(errors.mean()),
        "standard_error": float(errors.std(ddof=1) / np.sqrt(len(errors))),
        "floor": None,
        "n": len(errors),
        "better": "lower",
    }
