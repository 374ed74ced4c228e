"""Faces and ages: the course's arrays, loaded and checked."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from formats.array_file import MAX_ARRAY_BYTES, Source, read_array
from formats.errors import (
    LengthMismatchError,
    OutOfRangeError,
    WrongDtypeError,
    WrongShapeError,
)

FACE_SIZE = 48  # pixels, both ways
OLDEST_AGE = 100  # years; a larger label is wrong
_GRAY_SCALE = 127.5  # gray levels per unit: 0 … 255 is -1 … 1

Faces = npt.NDArray[np.uint8]
Ages = npt.NDArray[np.int64] | npt.NDArray[np.float64]


def load_faces(source: Source, max_bytes: int = MAX_ARRAY_BYTES) -> Faces:
    """Load faces from `.npy` or `.npy.gz`, told by the content.

    Args:
        source: a path or a seekable binary file.
        max_bytes: the largest array that is loaded.

    Returns:
        Gray faces, uint8 (N, 48, 48), N at least 1.

    Raises:
        FormatError: not such an array, truncated, damaged or too large.
        OSError: the file cannot be opened.
    """
    return read_array(source, _check_faces, max_bytes)


def load_ages(source: Source, max_bytes: int = MAX_ARRAY_BYTES) -> Ages:
    """Load ages from `.npy` or `.npy.gz`, told by the content.

    Missing (below 0) and wrong (above 100) ages are kept; valid_ages tells them.

    Returns:
        Ages in years, (N,), N at least 1: int64, or float64 where the file has floats.

    Raises:
        FormatError: not such an array, truncated, damaged, too large, or not finite.
        OSError: the file cannot be opened.
    """
    ages = read_array(source, _check_ages, max_bytes)
    if not np.isfinite(ages).all():
        index = int(np.argmin(np.isfinite(ages)))
        raise OutOfRangeError(
            f"age {index} is {ages[index]}; ages must be finite numbers, below 0 where they are "
            "missing: `ages = np.nan_to_num(ages, nan=-1)`",
            str(ages[index]),
        )
    if ages.dtype.kind == "f":
        return ages.astype(np.float64)
    if ages.max() > np.iinfo(np.int64).max:
        raise OutOfRangeError(f"an age is {ages.max()}; ages must fit 64 bits with a sign")
    return ages.astype(np.int64)


def valid_ages(ages: Ages) -> npt.NDArray[np.bool_]:
    """Tell which ages are known and possible: 0 to 100 years, (N,) bool."""
    return (ages >= 0) & (ages <= OLDEST_AGE)


def check_equal_length(faces: Faces, ages: Ages) -> None:
    """Check that there is one age per face.

    Raises:
        LengthMismatchError: there is not.
    """
    if len(faces) != len(ages):
        raise LengthMismatchError(
            f"{len(faces)} faces and {len(ages)} ages; there must be one age per face",
            f"{len(ages)} ages",
        )


def to_unit_range(faces: Faces) -> npt.NDArray[np.float32]:
    """Scale gray levels 0 … 255 to [-1, 1] by x / 127.5 − 1: float32 of the same shape."""
    return faces.astype(np.float32) / np.float32(_GRAY_SCALE) - np.float32(1)


def from_unit_range(values: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.uint8]:
    """Give the nearest gray level of values in [-1, 1]; what lies outside is clipped.

    Returns:
        uint8 of the same shape.

    Raises:
        OutOfRangeError: a value is not a number.
    """
    if np.isnan(values).any():
        raise OutOfRangeError(
            f"{np.count_nonzero(np.isnan(values))} of {values.size} values are NaN; "
            "a picture needs numbers"
        )
    levels: Faces = np.rint((np.clip(values, -1, 1) + 1) * _GRAY_SCALE).astype(np.uint8)
    return levels


def _check_faces(dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
    if dtype != np.uint8:
        hint = _FLOAT_HINT if dtype.kind == "f" else _INTEGER_HINT
        raise WrongDtypeError(f"faces are {dtype}; they must be uint8, 0 to 255{hint}", str(dtype))
    if not shape or shape[1:] != (FACE_SIZE, FACE_SIZE) or shape[0] == 0:
        raise WrongShapeError(
            f"faces have the shape {shape}; it must be (N, {FACE_SIZE}, {FACE_SIZE}), N at least 1"
            f"{_shape_hint(shape)}",
            str(shape),
        )


_FLOAT_HINT = (
    ". If they reach from 0 to 1: `faces = np.rint(faces * 255).astype(np.uint8)`; from -1 to 1: "
    "`faces = np.rint((faces + 1) * 127.5).astype(np.uint8)`; from 0 to 255: "
    "`faces = np.rint(faces).astype(np.uint8)`"
)
_INTEGER_HINT = ". If all are within 0 and 255: `faces = faces.astype(np.uint8)`"
_LUMINANCE = "np.rint(faces[..., :3] @ [0.299, 0.587, 0.114]).astype(np.uint8)"  # ITU-R BT.601
_SMALLER = (
    f"np.stack([np.asarray(Image.fromarray(face).resize(({FACE_SIZE}, {FACE_SIZE}), "
    "Image.Resampling.LANCZOS)) for face in faces])"
)


def _shape_hint(shape: tuple[int, ...]) -> str:
    """The line of NumPy that makes faces of an array of this shape, where there is one."""
    if not shape or shape[0] == 0:
        return ""
    sides = shape[1:]
    if sides in ((FACE_SIZE, FACE_SIZE, 3), (FACE_SIZE, FACE_SIZE, 4)):
        return f". In color? To gray by luminance: `faces = {_LUMINANCE}`"
    if sides == (3, FACE_SIZE, FACE_SIZE):
        channels_last = "faces = np.moveaxis(faces, 1, -1)"
        return f". In color? To gray by luminance: `{channels_last}; faces = {_LUMINANCE}`"
    if math.prod(sides) == FACE_SIZE**2:
        return f". The pixels are as many: `faces = faces.reshape(-1, {FACE_SIZE}, {FACE_SIZE})`"
    if len(sides) == len("yx") and all(sides):
        return f". Of another size? With `from PIL import Image`: `faces = {_SMALLER}`"
    return ""


def _check_ages(dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
    if dtype.kind not in "iuf":
        raise WrongDtypeError(f"ages are {dtype}; they must be integers or floats", str(dtype))
    if len(shape) != 1 or shape[0] == 0:
        raise WrongShapeError(
            f"ages have the shape {shape}; it must be (N,), N at least 1", str(shape)
        )
