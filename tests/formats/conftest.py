"""Small networks of the course's names, saved by torch itself."""

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from formats.architectures import unet_shapes

StateDict = OrderedDict[str, torch.Tensor]


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def make_state_dict() -> Callable[..., StateDict]:
    """Make a U-Net's state_dict of random weights: (width=2, dtype=float32)."""

    def make(width: int = 2, dtype: torch.dtype = torch.float32) -> StateDict:
        random = torch.Generator().manual_seed(7)
        return OrderedDict(
            (name, torch.randn(shape, generator=random).to(dtype))
            for name, shape in unet_shapes(width).items()
        )

    return make


@pytest.fixture
def save_cpt(tmp_path: Path) -> Callable[..., Path]:
    """Save any object by torch.save and give the path."""

    def save(content: object, **options: object) -> Path:
        path = tmp_path / "network.cpt"
        torch.save(content, path, **options)
        return path

    return save
