"""Networks out of checkpoints and into them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from diffusion.prior import DataPrior
from diffusion.regressor import AgeRegressor
from diffusion.schedule import linear_betas
from diffusion.unet import UNet
from formats.age_regressor import SQUARED_ERRORS
from formats.architectures import AGE_REGRESSOR, UNET
from formats.checkpoint import CheckpointDescription, read_checkpoint, write_checkpoint
from formats.errors import UnknownArchitectureError

PRIOR_TENSORS = {field: f"prior.{field}" for field in ("mean", "components", "deviations")}


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A network and what is known of it.

    Attributes:
        model: in evaluation mode, float32, on the CPU.
        betas: the schedule that it was trained on, float32 (T,).
        description: where it comes from.
        prior: of the data that it was trained on, where the file has one.
    """

    model: UNet
    betas: Tensor
    description: CheckpointDescription
    prior: DataPrior | None = None


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Read a native checkpoint of a noise predictor; its width is read off the tensors' shapes.

    Raises:
        formats.errors.FormatError: the file is no such checkpoint, or a damaged one.
        OSError: it cannot be opened.
    """
    arrays, description = read_checkpoint(path)
    if description.architecture != UNET.name:
        raise UnknownArchitectureError(
            f"a noise predictor must be a {UNET.name}, not a {description.architecture}"
        )
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    prior = None
    if PRIOR_TENSORS["mean"] in tensors:  # a file has all or none of them
        prior = DataPrior(**{field: tensors.pop(name) for field, name in PRIOR_TENSORS.items()})
    model = UNet(description.width, description.timesteps)
    model.load_state_dict(tensors)
    betas = linear_betas(description.timesteps, description.beta_start, description.beta_end)
    return Checkpoint(model.eval(), betas, description, prior)


@dataclass(frozen=True, eq=False)
class RegressorCheckpoint:
    """An age regressor and what is known of it.

    Attributes:
        model: in evaluation mode, float32, on the CPU.
        betas: the schedule that it was trained on, float32 (T,).
        description: where it comes from.
        squared_errors: its held-out mean squared error in years² at every timestep, float64 (T,);
            None where nobody measured it.
    """

    model: AgeRegressor
    betas: Tensor
    description: CheckpointDescription
    squared_errors: Tensor | None


def load_regressor(path: str | Path) -> RegressorCheckpoint:
    """Read a native checkpoint of an age regressor.

    Raises:
        formats.errors.FormatError: the file is no such checkpoint, or a damaged one.
        OSError: it cannot be opened.
    """
    arrays, description = read_checkpoint(path)
    if description.architecture != AGE_REGRESSOR.name:
        raise UnknownArchitectureError(
            f"an age regressor must be an {AGE_REGRESSOR.name}, not a {description.architecture}"
        )
    model = AgeRegressor(description.width, description.timesteps)
    model.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
    betas = linear_betas(description.timesteps, description.beta_start, description.beta_end)
    by_part = description.metrics.get(SQUARED_ERRORS)
    errors = None if by_part is None else _at_every_timestep(by_part, description.timesteps)
    return RegressorCheckpoint(model.eval(), betas, description, errors)


def _at_every_timestep(by_part: Sequence[float], timesteps: int) -> Tensor:
    """Values of equal parts of T, taken to hold at the parts' middles, between them linear."""
    middles = (np.arange(len(by_part)) + 0.5) * timesteps / len(by_part)
    return torch.from_numpy(np.interp(np.arange(timesteps) + 0.5, middles, by_part))


def save_checkpoint(
    path: str | Path,
    model: nn.Module,
    description: CheckpointDescription,
    *,
    prior: DataPrior | None = None,
    dtype: torch.dtype = torch.float32,
) -> None:
    """Write a native checkpoint; it appears under its name only when it is complete.

    Args:
        path: where; an existing file is replaced.
        model: the network to save.
        description: what it is; its width must be the model's.
        prior: of the data that it was trained on, to travel with it.
        dtype: of the file, float32 or float16.

    Raises:
        formats.errors.FormatError: description and network disagree, or a weight is not finite.
        OSError: the folder cannot be written.
    """
    tensors = dict(model.state_dict())
    if prior is not None:
        tensors |= {name: getattr(prior, field) for field, name in PRIOR_TENSORS.items()}
    arrays = {
        name: tensor.detach().cpu().to(dtype).contiguous().numpy()
        for name, tensor in tensors.items()
    }
    write_checkpoint(path, arrays, description)
