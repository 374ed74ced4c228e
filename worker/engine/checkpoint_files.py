"""A trained network as a file of its shard."""

import tempfile
from pathlib import Path

import torch
from torch import nn

from diffusion import DataPrior, save_checkpoint
from diffusion.checkpoints import PRIOR_TENSORS
from formats.checkpoint_facts import checkpoint_facts
from formats.description import CheckpointDescription
from jobs.contract import ArtifactRole
from worker.engine.shard import MadeFile


def checkpoint_file(
    name: str,
    network: nn.Module,
    description: CheckpointDescription,
    prior: DataPrior | None = None,
) -> MadeFile:
    """The weights: in float16, of which no picture shows a trace, where they fit."""
    largest = max(float(weight.abs().max()) for weight in network.parameters())
    dtype = torch.float16 if largest < torch.finfo(torch.float16).max else torch.float32
    with tempfile.TemporaryDirectory(prefix="darkroom-training-") as folder:
        path = Path(folder) / f"{name}.safetensors"
        save_checkpoint(path, network, description, prior=prior, dtype=dtype)
        content = path.read_bytes()
    tensors = {} if prior is None else {n: getattr(prior, f) for f, n in PRIOR_TENSORS.items()}
    return MadeFile(
        role=ArtifactRole.CHECKPOINT,
        name=path.name,
        content=content,
        shape=(),
        media_type="application/octet-stream",
        details=checkpoint_facts(description, tensors),
    )
