"""The errors of the diffusion core.

    DiffusionError
      NonFiniteSampleError

A programming mistake, such as a shape that does not fit, is a ValueError instead; a checkpoint
that cannot be read is an error of `formats.errors`.
"""

from collections.abc import Sequence


class DiffusionError(Exception):
    """Something went wrong in the mathematics, not in the call."""


class NonFiniteSampleError(DiffusionError):
    """Sampling produced NaN or infinity: the network does not fit the schedule, or overflowed.

    Attributes:
        step: the step that did, 0 for the first.
        image_indices: of the images concerned.
    """

    def __init__(self, step: int, image_indices: Sequence[int]) -> None:
        """Name the step and the images."""
        super().__init__(
            f"step {step} made {len(image_indices)} images NaN or infinite, "
            f"the first is image {image_indices[0]}; pixels must stay finite"
        )
        self.step = step
        self.image_indices = tuple(image_indices)
