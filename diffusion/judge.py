"""The judge: what age a clean face shows. Never used for guidance, so that it can measure it."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from diffusion.features import YEARS, check_faces
from formats.age_judge import HIDDEN
from formats.architectures import AGE_JUDGE
from formats.checkpoint import CheckpointDescription, read_checkpoint
from formats.errors import UnknownArchitectureError
from formats.faces import to_unit_range

BATCH = 250


class NormalizedConvolution(nn.Module):
    """A convolution without bias, then batch normalisation."""

    def __init__(self, inside: int, outside: int, kernel: int = 3, stride: int = 1) -> None:
        """Make one from `inside` to `outside` channels."""
        super().__init__()
        self.convolution = nn.Conv2d(inside, outside, kernel, stride, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(outside)
        self.norm.num_batches_tracked = None  # an integer that nothing reads

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C', H / stride, W / stride)."""
        normalized: Tensor = self.norm(self.convolution(x))
        return normalized


class NormalizedBlock(nn.Module):
    """Two normalised 3×3 convolutions beside the identity."""

    def __init__(self, channels: int) -> None:
        """Make a block that keeps the shape of its input."""
        super().__init__()
        self.first = NormalizedConvolution(channels, channels)
        self.second = NormalizedConvolution(channels, channels)
        nn.init.zeros_(self.second.norm.weight)  # the identity at first (Goyal et al. 2017)

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape, (B, C, H, W)."""
        return functional.silu(x + self.second(functional.silu(self.first(x))))


class AgeJudge(nn.Module):
    """A residual network with batch normalisation, unlike the regressor that guides.

    Attributes:
        width: channels of the first level.
    """

    def __init__(self, width: int = 24) -> None:
        """Make a network with `width` channels at half resolution."""
        super().__init__()
        if width < 1:
            raise ValueError(f"width must be at least 1, not {width}")
        self.width = width
        self.stem = NormalizedConvolution(1, width, kernel=4, stride=2)
        self.down2 = NormalizedConvolution(width, 2 * width, stride=2)
        self.block2 = NormalizedBlock(2 * width)
        self.down3 = NormalizedConvolution(2 * width, 4 * width, stride=2)
        self.block3 = NormalizedBlock(4 * width)
        self.block4 = NormalizedBlock(4 * width)
        self.hidden = nn.Linear(4 * width * 9, HIDDEN)
        self.age = nn.Linear(HIDDEN, 1)

    def forward(self, faces: Tensor) -> Tensor:
        """Ages in hundreds of years, (B,), of faces (B, 1, 48, 48) in [-1, 1]."""
        x = self.down2(functional.silu(self.stem(faces)))
        x = self.down3(self.block2(functional.silu(x)))
        x = self.block4(self.block3(functional.silu(x)))
        pooled = functional.avg_pool2d(x, 2).flatten(1)
        ages: Tensor = self.age(functional.silu(self.hidden(pooled)))
        return ages[:, 0]


def load_judge(path: str | Path) -> tuple[AgeJudge, CheckpointDescription]:
    """Read a judge in evaluation mode, float32, on the CPU, and its description.

    Raises:
        formats.errors.FormatError: the file is no checkpoint, a damaged one or of another network.
        OSError: it cannot be opened.
    """
    arrays, description = read_checkpoint(path)
    if description.architecture != AGE_JUDGE.name:
        raise UnknownArchitectureError(
            f"a judge must be an {AGE_JUDGE.name}, not a {description.architecture}"
        )
    network = AgeJudge(description.width)
    for name, tensor in network.state_dict().items():  # load_state_dict asks for batch counters
        tensor.copy_(torch.from_numpy(arrays[name]))
    return network.eval(), description


def judged_ages(network: AgeJudge, faces: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The age that each face shows: the mean of what it and its mirror image are taken for.

    Args:
        network: in evaluation mode; its device computes, in float32.
        faces: gray, uint8 (N, 48, 48), N at least 1.

    Returns:
        Years, float64 (N,); they may lie a little outside 0 … 100.

    Raises:
        ValueError: faces are not as above, or the network is in training mode.
    """
    check_faces(faces)
    if network.training:
        raise ValueError("a judge must be in evaluation mode: call network.eval() first")
    device = network.age.weight.device
    parts: list[Tensor] = []
    with torch.no_grad():
        for first in range(0, len(faces), BATCH):
            x = torch.from_numpy(to_unit_range(faces[first : first + BATCH]))[:, None].to(device)
            both = torch.cat([x, x.flip(3)]).contiguous(memory_format=torch.channels_last)
            parts.append(network(both).double().view(2, -1).mean(0).cpu())
    return torch.cat(parts).numpy() * YEARS
