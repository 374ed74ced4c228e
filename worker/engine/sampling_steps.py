"""What every kind of sampling does between its steps: save, tell, show and obey."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from torch import Tensor

from diffusion import SampleStep
from formats.faces import from_unit_range
from formats.pictures import collage, encode_png
from worker.engine.sampling_state import save_sampling
from worker.engine.shard import ShardRun

PREVIEW_COLUMNS = 10
PREVIEW_IMAGES = 100


def carry_out(
    shard: ShardRun, steps: Iterable[SampleStep], start: SampleStep, length: int, total: int
) -> SampleStep:
    """Take all steps that remain.

    Args:
        shard: that they belong to.
        steps: a sampling from `start` on.
        start: where it stands now.
        length: steps from the very beginning to the end.
        total: what the shard has done by then, in the job's unit.

    Returns:
        The last step.

    Raises:
        InterruptedShard: the consumer asked for it; the state was saved.
        NonFiniteSampleError: the network made NaN or infinity.
    """
    state = start
    shard.obey(shard.interrupt())
    for state in steps:
        shard.done = total * state.step // length
        _between_steps(shard, state, is_last=state.step == length)
    return state


def to_gray(images: Tensor) -> npt.NDArray[np.uint8]:
    """(n, 1, 48, 48) in [-1, 1] on any device → uint8 (n, 48, 48)."""
    return from_unit_range(images[:, 0].float().cpu().numpy())


def _between_steps(shard: ShardRun, state: SampleStep, *, is_last: bool) -> None:
    interrupt = shard.interrupt()  # asked once: what is broken off below was saved here
    if not is_last and shard.wants_save(interrupt):
        save_sampling(shard, state)
    shard.say_working()
    if shard.wants_preview() and state.pred_x_0 is not None:
        images = to_gray(state.pred_x_0[:PREVIEW_IMAGES])
        sheet = collage(images, min(PREVIEW_COLUMNS, len(images)))
        shard.say_preview(encode_png(sheet))
    if not is_last:
        shard.obey(interrupt)
