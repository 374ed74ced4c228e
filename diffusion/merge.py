"""Merging two faces: both are noised to t with one shared noise, joined by a mask, denoised.

The assignment's own way; the same as SDEdit of the joined picture, since with one shared noise
the joined z_t is q(z_t | joined x) (Meng et al. 2022, arXiv:2108.01073).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffusion.noise import Purpose, noise
from diffusion.process import GaussianProcess
from formats.faces import FACE_SIZE

LARGEST_GRAY = 255


def left_right() -> Tensor:
    """The mask that takes the left half of the first face: float64 (48, 48)."""
    mask = torch.zeros(FACE_SIZE, FACE_SIZE, dtype=torch.float64)
    mask[:, : FACE_SIZE // 2] = 1
    return mask


def top_bottom() -> Tensor:
    """The mask that takes the upper half of the first face: float64 (48, 48)."""
    return left_right().T.contiguous()


MASKS: Mapping[str, Callable[[], Tensor]] = {"left_right": left_right, "top_bottom": top_bottom}


def mask_of_gray(gray: NDArray[np.uint8]) -> Tensor:
    """A drawn mask: white is the first face, black the second, gray a share of both.

    Args:
        gray: uint8 (48, 48).

    Returns:
        Weights of the first face, 0 … 1, float64 (48, 48).

    Raises:
        ValueError: it is of another shape or dtype.
    """
    if gray.dtype != np.uint8 or gray.shape != (FACE_SIZE, FACE_SIZE):
        must = f"uint8 ({FACE_SIZE}, {FACE_SIZE})"
        raise ValueError(f"a mask must be {must}, not {gray.dtype} {gray.shape}")
    return torch.from_numpy(gray.astype(np.float64)) / LARGEST_GRAY


@dataclass(frozen=True, eq=False)
class Pairs:
    """Faces that are merged.

    Attributes:
        first: those that are seen where the mask is 1, (n, C, H, W), in [-1, 1].
        second: those that are seen where it is 0, of the same shape, dtype and device.
        mask: weights of the first face, 0 … 1, (H, W), of any dtype.
        indices: of the n pairs within their job, each within 0 and 2**32 − 1: the noise of a
            pair is that of its index at every t, so that results at several t can be compared.
    """

    first: Tensor
    second: Tensor
    mask: Tensor
    indices: Sequence[int]

    def __post_init__(self) -> None:
        """Check that the parts belong together.

        Raises:
            ValueError: they do not.
        """
        if self.first.shape != self.second.shape:
            raise ValueError(
                f"first and second faces must have one shape, not {tuple(self.first.shape)} "
                f"and {tuple(self.second.shape)}"
            )
        if self.mask.shape != self.first.shape[2:]:
            raise ValueError(
                f"the mask must have the faces' shape {tuple(self.first.shape[2:])}, "
                f"not {tuple(self.mask.shape)}"
            )
        if len(self.indices) != len(self.first):
            raise ValueError(f"{len(self.first)} pairs have {len(self.indices)} indices")

    def join(self, first: Tensor, second: Tensor) -> Tensor:
        """mask·first + (1 − mask)·second: what is 1 or 0 in the mask stays to the last bit."""
        mask = self.mask.to(first.device, first.dtype)
        return mask * first + (1 - mask) * second


def merged_start(pairs: Pairs, t: int, betas: Tensor, seed: int) -> Tensor:
    """z_t of the pairs: both faces noised to t with one noise, and joined by the mask.

    Args:
        pairs: the faces, and how they are joined.
        t: the book's timestep, 1 … T: so many noising steps.
        betas: of the schedule that the network was trained on, (T,).
        seed: the job's, within 0 and 2**64 − 1.

    Returns:
        (n, C, H, W) in the faces' dtype, on their device; sample it with a plan whose `start_t`
        is t − 1.

    Raises:
        ValueError: a number is outside its range.
    """
    if not 1 <= t <= len(betas):
        raise ValueError(f"t must be within 1 and {len(betas)}, not {t}")
    x = pairs.first
    exact = noise(seed, pairs.indices, 0, x.shape[1:], Purpose.START, dtype=torch.float64)
    eps = exact.to(x.device, x.dtype)
    process, at = GaussianProcess(betas), torch.full((len(x),), t - 1)
    noised = (process.q_sample(faces, at, eps) for faces in (pairs.first, pairs.second))
    return pairs.join(*noised)


def steps_from(t: int, num_inference_steps: int, num_timesteps: int) -> int:
    """How many steps lead from t to 0, where so many would lead from T: their share, at least 1.

    Args:
        t: the book's timestep, 1 … T.
        num_inference_steps: of the whole way, n, within 1 and T.
        num_timesteps: T.

    Returns:
        max(1, n·t/T rounded to the nearest, halves up), which is at most t.
    """
    return max(1, (2 * num_inference_steps * t + num_timesteps) // (2 * num_timesteps))
