"""The feature network: 64 numbers per face in which sets of faces are compared."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from formats.architectures import FACE_FEATURES
from formats.checkpoint import read_checkpoint
from formats.errors import UnknownArchitectureError
from formats.faces import FACE_SIZE, to_unit_range
from formats.feature_network import FEATURES, HEADS

YEARS = 100  # per unit of age
_DEGRADATIONS = 2  # blur and noise


class Readings(NamedTuple):
    """What the network says of n faces.

    Attributes:
        features: (n, 64), of zero mean and unit variance over the faces of the training, blurred
            and noisy ones among them.
        age: (n,), in hundreds of years.
        attributes: (n, 23), in the order and units of `synthetic.ATTRIBUTES`.
        degradation: (n, 2), how much blur and noise was put on the face in training, 0 … 1 each.
    """

    features: Tensor
    age: Tensor
    attributes: Tensor
    degradation: Tensor


class ResidualBlock(nn.Module):
    """x + two 3×3 convolutions of x."""

    def __init__(self, channels: int) -> None:
        """Make a block that keeps the shape of its input."""
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape, (B, C, H, W)."""
        change: Tensor = self.second(functional.silu(self.first(functional.silu(x))))
        return x + change


class FeatureNetwork(nn.Module):
    """A small convolutional network without normalisation: brightness and contrast must show.

    The features stand before their activation, where they are nearer to a normal distribution,
    which the Fréchet distance takes them for; the heads read them behind it.

    Attributes:
        width: channels of the first level.
        centre: what is subtracted from the features, (64,).
        spread: what they are divided by then, (64,): mean and standard deviation over the faces
            of the training, blurred and noisy ones among them.
    """

    centre: Tensor
    spread: Tensor

    def __init__(self, width: int = 32) -> None:
        """Make a network with `width` channels at half resolution."""
        super().__init__()
        if width < 1:
            raise ValueError(f"width must be at least 1, not {width}")
        self.width = width
        self.register_buffer("centre", torch.zeros(FEATURES))
        self.register_buffer("spread", torch.ones(FEATURES))
        self.stem = nn.Conv2d(1, width, 5, stride=2, padding=2)
        self.down2 = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)
        self.block2 = ResidualBlock(2 * width)
        self.down3 = nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1)
        self.block3 = ResidualBlock(4 * width)
        self.embedding = nn.Linear(4 * width * 9, FEATURES)
        self.heads = nn.Linear(FEATURES, HEADS)

    def forward(self, faces: Tensor) -> Readings:
        """Read faces: (B, 1, 48, 48) in [-1, 1]."""
        x = self.down2(functional.silu(self.stem(faces)))
        x = self.down3(functional.silu(self.block2(x)))
        x = functional.avg_pool2d(functional.silu(self.block3(x)), 2)
        raw = self.embedding(x.flatten(1))
        heads = self.heads(functional.silu(raw))
        features = (raw - self.centre) / self.spread
        attributes = heads[:, 1:-_DEGRADATIONS]
        return Readings(features, heads[:, 0], attributes, heads[:, -_DEGRADATIONS:])


def load_feature_network(path: str | Path) -> FeatureNetwork:
    """Read a feature network in evaluation mode, float32, on the CPU.

    Raises:
        formats.errors.FormatError: the file is no checkpoint, a damaged one or of another network.
        OSError: it cannot be opened.
    """
    arrays, description = read_checkpoint(path)
    if description.architecture != FACE_FEATURES.name:
        raise UnknownArchitectureError(
            f"a feature network must be a {FACE_FEATURES.name}, not a {description.architecture}"
        )
    network = FeatureNetwork(description.width)
    network.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
    return network.eval()


def read_faces(network: FeatureNetwork, faces: NDArray[np.uint8], batch: int = 256) -> Readings:
    """Read many faces, a batch at a time, on the network's device and in float32.

    Args:
        network: in evaluation or training mode, which makes no difference.
        faces: gray, uint8 (N, 48, 48), N at least 1.
        batch: faces at once; it changes the last digits at most.

    Returns:
        Float64 readings of the N faces, on the CPU.

    Raises:
        ValueError: faces or batch are not as above.
    """
    check_faces(faces)
    if batch < 1:
        raise ValueError(f"batch must be at least 1, not {batch}")
    device = network.centre.device
    parts: list[Readings] = []
    with torch.no_grad():
        for first in range(0, len(faces), batch):
            x = torch.from_numpy(to_unit_range(faces[first : first + batch]))[:, None].to(device)
            parts.append(network(x.contiguous(memory_format=torch.channels_last)))
    return Readings(*(torch.cat(column).cpu().double() for column in zip(*parts, strict=True)))


def features(
    network: FeatureNetwork, faces: NDArray[np.uint8], batch: int = 256
) -> NDArray[np.float64]:
    """The features of gray faces, float64 (N, 64); arguments and errors as of `read_faces`."""
    return read_faces(network, faces, batch).features.numpy()


def check_faces(faces: NDArray[np.uint8], what: str = "faces", least: int = 1) -> None:
    """Refuse what is not uint8 (N, 48, 48) with N at least `least`, with a ValueError."""
    if faces.dtype != np.uint8 or faces.shape[1:] != (FACE_SIZE, FACE_SIZE) or len(faces) < least:
        raise ValueError(
            f"{what} must be uint8 (N, {FACE_SIZE}, {FACE_SIZE}) with N at least {least}, "
            f"not {faces.dtype} {faces.shape}"
        )
