"""The saved state of a sampling shard: z_t, the previous x_0 and the step."""

import logging
import re

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from diffusion import SampleStep
from jobs.artifacts import shard_folder
from jobs.errors import ArtifactStoreError
from worker.engine.shard import ShardRun

log = logging.getLogger(__name__)

STATE_NAME = re.compile(r"state-(\d+)\.safetensors")


def save_state(shard: ShardRun, state: SampleStep) -> None:
    """Publish the state whole, then drop this attempt's older one."""
    tensors = {"z": state.z.cpu().contiguous()}
    if state.pred_x_0 is not None:
        tensors["pred_x_0"] = state.pred_x_0.cpu().contiguous()
    older = shard.saved_step
    try:
        shard.artifacts.write_bytes(f"{shard.folder}/state-{state.step}.safetensors", save(tensors))
        shard.saved_step = state.step
        if older and older != state.step:
            shard.artifacts.delete(f"{shard.folder}/state-{older}.safetensors")
    except ArtifactStoreError as error:  # sampling goes on: only a later loss costs more
        log.warning("cannot save step %d: %s", state.step, error)


def newest_state(shard: ShardRun, device: torch.device) -> SampleStep | None:
    """The furthest state that any attempt at this shard has saved whole."""
    folder = shard_folder(shard.order.job_id, shard.order.shard_id)
    found = [
        (int(match[1]), f"{folder}/{attempt}/{name}")
        for attempt in shard.artifacts.names(folder)
        for name in shard.artifacts.names(f"{folder}/{attempt}")
        if (match := STATE_NAME.fullmatch(name))
    ]
    for step, path in sorted(found, reverse=True):
        try:
            tensors = load(shard.artifacts.read_bytes(path))
        except (ArtifactStoreError, SafetensorError) as error:
            log.warning("cannot go on from %s: %s", path, error)
            continue
        log.info("shard %s goes on from step %d", shard.order.shard_id, step)
        pred_x_0 = tensors.get("pred_x_0")
        return SampleStep(
            step, tensors["z"].to(device), None if pred_x_0 is None else pred_x_0.to(device)
        )
    return None


def drop_states(shard: ShardRun) -> None:
    """The result is published: its own saved state is of no more use."""
    try:
        if shard.saved_step:
            shard.artifacts.delete(f"{shard.folder}/state-{shard.saved_step}.safetensors")
    except ArtifactStoreError as error:
        log.warning("cannot drop step %d: %s", shard.saved_step, error)
