"""The errors of the diffusion core.

    DiffusionError
      NonFiniteSampleError
      TrainingDivergedError
      TrainingStateError
      NoAgesError
      UnmeasuredRegressorError

A programming mistake, such as a shape that does not fit, is a ValueError instead; a checkpoint
that cannot be read is an error of `formats.errors`.
"""

from collections.abc import Sequence


class DiffusionError(Exception):
    """Something went wrong in the mathematics, not in the call."""


class NonFiniteSampleError(DiffusionError):
    """Sampling produced NaN or infinity: the network does not fit the schedule, or overflowed.

    Attributes:
        first_step: the first that may have, 0 for that of the plan.
        step: the step that did, or the last that may have.
        image_indices: of the images concerned.
    """

    def __init__(self, step: int, image_indices: Sequence[int], first_step: int) -> None:
        """Name the step, or the first and last of those between two looks, and the images."""
        which = f"step {step}" if first_step == step else f"one of steps {first_step} to {step}"
        super().__init__(
            f"{which} made {len(image_indices)} images NaN or infinite, "
            f"the first is image {image_indices[0]}; pixels must stay finite"
        )
        self.first_step = first_step
        self.step = step
        self.image_indices = tuple(image_indices)


class TrainingDivergedError(DiffusionError):
    """A loss or a gradient became NaN or infinite; the weights are those of before the step.

    Attributes:
        step: steps done before it.
        loss: of the step.
    """

    def __init__(self, step: int, loss: float, gradient_norm: float, learning_rate: float) -> None:
        """Say what was seen and what helps."""
        super().__init__(
            f"after {step} steps the loss is {loss} and the gradient's norm {gradient_norm}; both "
            f"must be finite: train anew with a learning rate below {learning_rate:g}"
        )
        self.step = step
        self.loss = loss


class TrainingStateError(DiffusionError):
    """A saved state is damaged, or of another training."""


class NoAgesError(DiffusionError):
    """A regressor was to be trained on faces whose ages nobody knows."""


class UnmeasuredRegressorError(DiffusionError):
    """Guidance asks how far off the regressor is at each timestep, and nobody measured it."""
