"""Sampling that went wrong is noticed, without making a GPU wait after every step."""

from collections.abc import Sequence

import torch
from torch import Tensor

from diffusion.errors import NonFiniteSampleError


class FiniteWatch:
    """Keeps an eye on z: which images were ever NaN or infinite."""

    def __init__(
        self, image_indices: Sequence[int], device: torch.device, steps_between_looks: int
    ) -> None:
        """Watch these images of the device, and look after so many steps and after the last."""
        self._image_indices = image_indices
        self._every = steps_between_looks
        self._was_finite = torch.ones(len(image_indices), dtype=torch.bool, device=device)
        self._unseen = 0

    def see(self, step: int, z: Tensor, *, is_last: bool) -> None:
        """Note z (n, C, H, W) after a step.

        Raises:
            NonFiniteSampleError: it, or a step since the last look, made NaN or infinity.
        """
        self._was_finite &= torch.isfinite(z).flatten(1).all(dim=1)
        self._unseen += 1
        if self._unseen < self._every and not is_last:
            return
        if not bool(self._was_finite.all()):
            rows = torch.nonzero(~self._was_finite).flatten().tolist()
            bad = [self._image_indices[row] for row in rows]
            raise NonFiniteSampleError(step, bad, first_step=step - self._unseen + 1)
        self._unseen = 0
