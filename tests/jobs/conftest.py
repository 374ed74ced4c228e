"""The service over a real database, Redis and folder, with a small checkpoint in it."""

from pathlib import Path

import numpy as np
import pytest

from formats.architectures import unet_shapes
from formats.checkpoint import write_checkpoint
from formats.description import CheckpointDescription
from jobs.service import JobService, open_service
from jobs.settings import WebSettings


@pytest.fixture
def service(web_settings: WebSettings) -> JobService:
    return open_service(web_settings)


@pytest.fixture
def native_file(tmp_path: Path) -> Path:
    """A native checkpoint of width 2."""
    random = np.random.default_rng(7)
    arrays = {
        name: random.standard_normal(shape).astype(np.float32)
        for name, shape in unet_shapes(2).items()
    }
    path = tmp_path / "small.safetensors"
    write_checkpoint(path, arrays, CheckpointDescription("unet", 2))
    return path
