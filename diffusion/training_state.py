"""A training's state as bytes: safetensors, no pickle; all that exact resuming needs."""

import json
from collections.abc import Mapping
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from diffusion.errors import TrainingStateError

KEY = "darkroom-training"  # of the metadata
VERSION = 2
_LENGTH_BYTES = 8


def encode_state(tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> bytes:
    """Tensors and JSON values as safetensors, on the CPU and contiguous."""
    on_cpu = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    text = json.dumps({"version": VERSION, **values}, allow_nan=False)
    return save(on_cpu, metadata={KEY: text})


def decode_state(content: bytes) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What `encode_state` was given.

    Raises:
        TrainingStateError: the bytes are something else, or cut short.
    """
    try:
        tensors = load(content)
        length = int.from_bytes(content[:_LENGTH_BYTES], "little")
        header = json.loads(content[_LENGTH_BYTES : _LENGTH_BYTES + length])
        values = json.loads(header["__metadata__"][KEY])
    except (SafetensorError, ValueError, KeyError) as error:
        raise TrainingStateError(
            f"{len(content)} bytes are no saved state of a training, or a damaged one: {error!r}"
        ) from error
    if values.get("version") != VERSION:
        raise TrainingStateError(
            f"the saved state is of version {values.get('version')}; this program reads {VERSION}"
        )
    return tensors, values


def check_fingerprint(found: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    """Check that a state was saved by a training of the same kind.

    Raises:
        TrainingStateError: it was not; the message names what differs.
    """
    names = sorted(set(found) | set(expected))
    different = [name for name in names if found.get(name) != expected.get(name)]
    if different:
        told = "; ".join(
            f"{name} is {found.get(name)!r} there and {expected.get(name)!r} here"
            for name in different
        )
        raise TrainingStateError(f"the saved state is of another training: {told}")


def optimizer_tensors(optimizer: torch.optim.Optimizer, model: nn.Module) -> dict[str, Tensor]:
    """The optimizer's moments and step counters, named after the parameters that they belong to."""
    return {
        f"{key}/{name}": value
        for name, parameter in model.named_parameters()
        for key, value in optimizer.state[parameter].items()
    }


def restore_optimizer(
    optimizer: torch.optim.Optimizer, model: nn.Module, tensors: Mapping[str, Tensor]
) -> None:
    """Put `optimizer_tensors` back, each in the memory layout of its parameter."""
    optimizer.state.clear()
    for name, parameter in model.named_parameters():
        state = {}
        for key in ("step", "exp_avg", "exp_avg_sq"):
            value = tensors.get(f"{key}/{name}")
            if value is None:
                continue
            if key == "step":  # where and as fused AdamW keeps it
                state[key] = value.to(parameter.device)
            else:
                state[key] = torch.empty_like(parameter).detach().copy_(value)
        if state:
            optimizer.state[parameter] = state
