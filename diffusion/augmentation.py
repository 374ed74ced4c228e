"""What is done to faces that a network learns from, so that it does not depend on it."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

LARGEST_SHIFT = 2  # pixels
LARGEST_NOISE = 0.2  # standard deviation, of pixels in [-1, 1]
BINOMIAL = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)  # the widest blur
LARGEST_TURN = 0.14  # radians, 8 degrees
LARGEST_ZOOM = 0.08  # either way
LARGEST_CONTRAST = 0.3  # of the logarithm of what the contrast is multiplied by
LARGEST_BRIGHTNESS = 0.2  # added to pixels in [-1, 1]
LARGEST_CUT = 16  # pixels, the side of a square


def move(
    faces: NDArray[np.uint8], is_flipped: NDArray[np.bool_], chance: NDArray[np.float64]
) -> NDArray[np.uint8]:
    """Mirror some faces, and shift each by up to LARGEST_SHIFT pixels, the border repeated.

    Args:
        faces: (B, 48, 48).
        is_flipped: which are mirrored, (B,).
        chance: of the shift down and to the right, (B, 2) within 0 and 1.
    """
    size = faces.shape[-1]
    shifts = np.floor(chance * (2 * LARGEST_SHIFT + 1)).astype(np.int64) - LARGEST_SHIFT
    at = np.clip(np.arange(size) + shifts[:, :, None], 0, size - 1)
    columns = np.where(is_flipped[:, None], at[:, 1, ::-1], at[:, 1])
    return faces[np.arange(len(faces))[:, None, None], at[:, 0, :, None], columns[:, None, :]]


def degrade(faces: Tensor, amounts: Tensor, grain: Tensor) -> Tensor:
    """Blur, then add noise.

    Args:
        faces: (B, 1, H, W) in [-1, 1].
        amounts: of blur and of noise, (B, 2), 0 … 1 each; blur below 0 sharpens.
        grain: standard normal noise, of the shape of `faces`.
    """
    line = torch.tensor(BINOMIAL, dtype=faces.dtype)
    padded = functional.pad(faces, (2, 2, 2, 2), mode="replicate")
    blurred = functional.conv2d(padded, (line[:, None] * line)[None, None])
    blur, noise = amounts[:, :, None, None, None].unbind(1)
    return faces + blur * (blurred - faces) + noise * LARGEST_NOISE * grain


def turn(faces: Tensor, chance: Tensor) -> Tensor:
    """Turn each face by up to LARGEST_TURN and zoom by up to LARGEST_ZOOM, the border repeated.

    Args:
        faces: (B, 1, H, W).
        chance: of turn and zoom, (B, 2) within -1 and 1; (0, 0) leaves a face as it is.
    """
    angle, zoom = LARGEST_TURN * chance[:, 0], 1 + LARGEST_ZOOM * chance[:, 1]
    sine, cosine, zero = zoom * angle.sin(), zoom * angle.cos(), torch.zeros_like(angle)
    rows = torch.stack([cosine, -sine, zero, sine, cosine, zero], 1).view(-1, 2, 3)
    grid = functional.affine_grid(rows, list(faces.shape), align_corners=False)
    return functional.grid_sample(faces, grid, padding_mode="border", align_corners=False)


def relight(faces: Tensor, chance: Tensor) -> Tensor:
    """Change contrast and brightness, clipped as a picture is.

    Args:
        faces: (B, 1, H, W) in [-1, 1].
        chance: of contrast and brightness, (B, 2) within -1 and 1; (0, 0) changes nothing.
    """
    contrast, brightness = chance[:, :, None, None, None].unbind(1)
    mean = faces.mean((1, 2, 3), keepdim=True)
    lit = mean + (LARGEST_CONTRAST * contrast).exp() * (faces - mean)
    return (lit + LARGEST_BRIGHTNESS * brightness).clamp(-1, 1)


def cut_out(faces: Tensor, chance: Tensor) -> Tensor:
    """Cover a square of each face, of up to LARGEST_CUT pixels a side, by its mean gray.

    Source: DeVries and Taylor 2017 (arXiv:1708.04552).

    Args:
        faces: (B, 1, H, W).
        chance: of the square's side and of its centre, down and to the right, (B, 3) within 0
            and 1; a side of 0 covers nothing.
    """
    half = (LARGEST_CUT / 2 * chance[:, 0])[:, None]
    down = torch.arange(faces.shape[2]) + 0.5 - faces.shape[2] * chance[:, 1:2]
    right = torch.arange(faces.shape[3]) + 0.5 - faces.shape[3] * chance[:, 2:3]
    is_cut = (down.abs() < half)[:, None, :, None] & (right.abs() < half)[:, None, None, :]
    return torch.where(is_cut, faces.mean((1, 2, 3), keepdim=True), faces)
