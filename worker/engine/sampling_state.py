"""The saved state of a sampling shard: z_t, the previous x_0 and the step."""

import logging

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from diffusion import SampleStep
from worker.engine.saved_states import go_on_from, save_state, saved_states
from worker.engine.shard import ShardRun

log = logging.getLogger(__name__)


def save_sampling(shard: ShardRun, state: SampleStep) -> None:
    """Save where the images of a shard stand."""
    tensors = {"z": state.z.cpu().contiguous()}
    if state.pred_x_0 is not None:
        tensors["pred_x_0"] = state.pred_x_0.cpu().contiguous()
    save_state(shard, state.step, save(tensors))


def newest_sampling(shard: ShardRun, device: torch.device) -> SampleStep | None:
    """The furthest state that can be read, on the device; None where there is none."""
    for step, content in saved_states(shard):
        try:
            tensors = load(content)
        except SafetensorError as error:
            log.warning("cannot go on from step %d: %s", step, error)
            continue
        go_on_from(shard, step)
        pred_x_0 = tensors.get("pred_x_0")
        return SampleStep(
            step, tensors["z"].to(device), None if pred_x_0 is None else pred_x_0.to(device)
        )
    return None
