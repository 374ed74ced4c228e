"""How well a noise predictor knows the noise, in each tenth of the timesteps."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffusion.noise import Purpose, noise, uniforms
from diffusion.process import GaussianProcess
from diffusion.sampling import NoisePredictor
from diffusion.training_data import TENTHS
from formats.faces import to_unit_range

BATCH = 32


def eps_errors(
    predict: NoisePredictor,
    betas: Tensor,
    faces: NDArray[np.uint8],
    tenth: int,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> Iterator[NDArray[np.float64]]:
    """Mean squared errors of eps on faces that are noised to one tenth of the timesteps.

    Timesteps are stratified over the tenth; they and the noise depend on the seed, the tenth and
    the face's place alone, so that networks can be compared.

    Args:
        predict: the noise predictor.
        betas: of the schedule that it was trained on, (T,), T at least 10.
        faces: gray, uint8 (N, 48, 48), N at least 1.
        tenth: of the timesteps, 0 (the least noise) … 9.
        seed: within 0 and 2**64 − 1.
        device: where the predictor runs.

    Yields:
        The errors of up to BATCH faces, in order; of all N at last.

    Raises:
        ValueError: tenth is outside its range.
    """
    if not 0 <= tenth < TENTHS:
        raise ValueError(f"tenth must be within 0 and {TENTHS - 1}, not {tenth}")
    process = GaussianProcess(betas)
    within = uniforms(seed, [0], tenth, len(faces), Purpose.HOLDOUT_TIMESTEP)[0]
    turns = (tenth + (np.arange(len(faces)) + within) / len(faces)) / TENTHS
    timesteps = torch.from_numpy((turns * len(betas)).astype(np.int64))
    for first in range(0, len(faces), BATCH):
        x_0 = torch.from_numpy(to_unit_range(faces[first : first + BATCH]))[:, None].to(device)
        indices = range(first, first + len(x_0))
        eps = noise(seed, indices, tenth, x_0.shape[1:], Purpose.HOLDOUT_NOISE).to(device)
        t = timesteps[first : first + len(x_0)]
        predicted = predict(process.q_sample(x_0, t, eps), t.to(device))
        yield (predicted - eps).double().square().flatten(1).mean(dim=1).cpu().numpy()
