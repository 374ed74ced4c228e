"""The saved state of a training shard: the core's own, and what its runner keeps beside it."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from diffusion.errors import TrainingStateError
from diffusion.training_loop import TrainingLoop
from worker.engine.saved_states import go_on_from, save_state, saved_states
from worker.engine.shard import ShardRun

log = logging.getLogger(__name__)

Arrays = Mapping[str, NDArray[Any]]


def save_training(shard: ShardRun, training: TrainingLoop[Any], more: Arrays) -> None:
    """Save where a training stands, and `more` with it."""
    state = np.frombuffer(training.save_state(), np.uint8)
    save_state(shard, training.step, save({"training": state, **more}))


def resume_training(
    shard: ShardRun, training: TrainingLoop[Any], take_more: Callable[[Arrays], None]
) -> None:
    """Go on from the furthest state that can be read, if there is one."""
    for step, content in saved_states(shard):
        try:
            arrays = load(content)
            training.load_state(arrays["training"].tobytes())
            take_more(arrays)
        except (SafetensorError, TrainingStateError, KeyError) as error:
            log.warning("cannot go on from step %d: %s", step, error)
            continue
        go_on_from(shard, step)
        return
