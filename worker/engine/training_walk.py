"""One attempt's way through a training: its steps, with saving and interrupts between them."""

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from diffusion.training_loop import TrainingLoop
from worker.engine.shard import ShardRun
from worker.engine.training_state import resume_training, save_training

SECONDS_PER_MINUTE = 60


class TrainingWalk:
    """Goes from the furthest saved state to the end of a training."""

    def __init__(self, shard: ShardRun, training: TrainingLoop[Any]) -> None:
        """Walk for this shard."""
        self._shard, self._loop = shard, training

    def go_on(self) -> None:
        """Train to the end, from the furthest saved state on.

        Raises:
            InterruptedShard: the consumer asked for it.
            TrainingDivergedError: the loss became NaN or infinite.
        """
        shard = self._shard
        resume_training(shard, self._loop, self._take_more)
        shard.before_return = self._save
        shard.save_every(shard.settings.training_save_seconds)
        self._begin()
        while not self._loop.has_ended:
            self._before_step()
            self._loop.advance()
            self.tell()
            if shard.wants_save(None):
                self._save()
            shard.between_steps()

    def tell(self) -> None:
        """Say how far it is, in the unit of the limit, and what the curves are."""
        training, limit = self._loop, self._loop.limit
        if limit.steps is not None:
            done: float = training.step
        elif limit.images is not None:
            done = min(training.images_seen, limit.images)
        else:
            done = training.share * (limit.minutes or 0) * SECONDS_PER_MINUTE
        self._shard.done = round(done)
        self._shard.curves = {
            name: [(point[0], point[1]) for point in points]
            for name, points in training.curves().items()
        }

    def _save(self) -> None:
        save_training(self._shard, self._loop, self._more())

    def _begin(self) -> None:
        """What is done once, after the state was taken up."""

    def _before_step(self) -> None:
        """What is done before each step, where it is due."""

    def _more(self) -> Mapping[str, NDArray[Any]]:
        """What is saved beside the training."""
        return {}

    def _take_more(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take back what `_more` gave; a KeyError refuses the state."""
