"""The saved state of a training shard: the core's own, and how the faces developed until then."""

import logging
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from diffusion import Training
from diffusion.errors import TrainingStateError
from worker.engine.development import Development, Moment
from worker.engine.saved_states import go_on_from, save_state, saved_states
from worker.engine.shard import ShardRun

log = logging.getLogger(__name__)


def save_training(shard: ShardRun, training: Training, development: Development) -> None:
    """Save where a training stands."""
    moments = development.moments
    arrays: dict[str, NDArray[Any]] = {
        "training": np.frombuffer(training.save_state(), np.uint8),
        "moments": np.array([(m.number, m.images_seen) for m in moments], np.int64).reshape(-1, 2),
        **{f"faces/{moment.number}": moment.faces for moment in moments},
    }
    save_state(shard, training.step, save(arrays))


def resume_training(shard: ShardRun, training: Training, development: Development) -> None:
    """Go on from the furthest state that can be read, if there is one."""
    for step, content in saved_states(shard):
        try:
            arrays = load(content)
            training.load_state(arrays["training"].tobytes())
            development.moments = [
                Moment(int(number), int(images_seen), arrays[f"faces/{number}"])
                for number, images_seen in arrays["moments"]
            ]
        except (SafetensorError, TrainingStateError, KeyError) as error:
            log.warning("cannot go on from step %d: %s", step, error)
            continue
        go_on_from(shard, step)
        return
