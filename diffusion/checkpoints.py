"""Networks out of checkpoints and into them."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from diffusion.schedule import linear_betas
from diffusion.unet import UNet
from formats.checkpoint import CheckpointDescription, read_checkpoint, write_checkpoint


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A network and what is known of it.

    Attributes:
        model: in evaluation mode, float32, on the CPU.
        betas: the schedule that it was trained on, float32 (T,).
        description: where it comes from.
    """

    model: UNet
    betas: Tensor
    description: CheckpointDescription


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Read a native checkpoint; its width is read off the tensors' shapes.

    Raises:
        formats.errors.FormatError: the file is no checkpoint, or a damaged one.
        OSError: it cannot be opened.
    """
    arrays, description = read_checkpoint(path)
    model = UNet(description.width, description.timesteps)
    model.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
    betas = linear_betas(description.timesteps, description.beta_start, description.beta_end)
    return Checkpoint(model.eval(), betas, description)


def save_checkpoint(
    path: str | Path,
    model: UNet,
    description: CheckpointDescription,
    *,
    dtype: torch.dtype = torch.float32,
) -> None:
    """Write a native checkpoint; it appears under its name only when it is complete.

    Args:
        path: where; an existing file is replaced.
        model: the network to save.
        description: what it is; its width must be the model's.
        dtype: of the file, float32 or float16.

    Raises:
        formats.errors.FormatError: description and network disagree, or a weight is not finite.
        OSError: the folder cannot be written.
    """
    tensors = {name: tensor.detach().cpu().to(dtype) for name, tensor in model.state_dict().items()}
    arrays = {name: tensor.contiguous().numpy() for name, tensor in tensors.items()}
    write_checkpoint(path, arrays, description)
