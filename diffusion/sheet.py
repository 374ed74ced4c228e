"""A sheet of sampled faces: what a noise predictor has learned, at a glance."""

import numpy as np
import torch
from numpy.typing import NDArray

from diffusion.plan import plan
from diffusion.precision import predictor
from diffusion.prior import DataPrior, start_noise
from diffusion.sampling import SampleStep, sample
from diffusion.unet import UNet
from formats.faces import from_unit_range

SHEET_FACES = 64
SHEET_STEPS = 20
SHEET_SEED = 2024  # always the same, so that the sheets of a training can be compared


def sample_sheet(
    model: UNet,
    betas: torch.Tensor,
    prior: DataPrior | None = None,
    device: torch.device | str = "cpu",
    count: int = SHEET_FACES,
) -> NDArray[np.uint8]:
    """Sample faces with DPM-Solver++(2M) in 20 steps, always from the same noise.

    Args:
        model: the noise predictor; left as it is.
        betas: of the schedule that it was trained on, (T,).
        prior: where sampling starts; by default at pure noise.
        device: where to sample.
        count: of faces.

    Returns:
        uint8 (count, 48, 48).

    Raises:
        NonFiniteSampleError: the network gives no numbers.
    """
    indices = range(count)
    z_t = start_noise(prior, betas, SHEET_SEED, indices).to(device)
    steps = plan("dpmpp_2m", betas, SHEET_STEPS)
    start = SampleStep(0, z_t)
    *_, last = sample(predictor(model, device), steps, SHEET_SEED, indices, start=start)
    return from_unit_range(last.z[:, 0].cpu().numpy())
