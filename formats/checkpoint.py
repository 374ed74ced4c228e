"""Native checkpoints: safetensors with a description, read, written and imported.

A native checkpoint keeps its description as JSON under the metadata key `darkroom`.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from formats.architectures import identify
from formats.course_checkpoint import read_course_checkpoint
from formats.description import CheckpointDescription
from formats.errors import (
    BadDescriptionError,
    NonFiniteWeightsError,
    OldTorchFormatError,
    WrongDtypeError,
)
from formats.safetensors_file import read_safetensors, write_safetensors

__all__ = [
    "CheckpointDescription",
    "Weights",
    "import_checkpoint",
    "read_checkpoint",
    "sha256_of",
    "write_checkpoint",
]

Weights = dict[str, npt.NDArray[np.float32]]

_ZIP_START = b"PK"
_PICKLE_START = b"\x80"
_HEADER_AT = 8  # in a safetensors file, after the header's length


def sha256_of(path: str | Path) -> str:
    """Give the SHA-256 of a file's bytes, as 64 hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_checkpoint(path: str | Path) -> tuple[Weights, CheckpointDescription]:
    """Read a native checkpoint and check it: description, names, shapes, dtype, finiteness.

    Returns:
        Name to float32 array (float16 and bfloat16 are widened), those that the architecture
        leaves to choice among them where the file has them, and the description.

    Raises:
        CheckpointError: not a native checkpoint, or a damaged one; see formats.errors.
        WrongShapeError: a tensor has another shape than its architecture asks for.
        WrongDtypeError: a tensor is not float32, float16 or bfloat16.
        TooLargeError: the file is larger than a checkpoint may be.
        OSError: the file cannot be opened.
    """
    tensors, metadata = read_safetensors(Path(path))
    if "darkroom" not in metadata:
        raise BadDescriptionError(
            "these safetensors have no description under the metadata key 'darkroom'; "
            "import the file first"
        )
    description = CheckpointDescription.from_json(metadata["darkroom"])
    _check(tensors, description)
    return {name: array.astype(np.float32) for name, array in tensors.items()}, description


def write_checkpoint(
    path: str | Path,
    arrays: Mapping[str, npt.NDArray[Any]],
    description: CheckpointDescription,
) -> None:
    """Write a native checkpoint; it appears under its name only when it is complete.

    Args:
        path: where; an existing file is replaced.
        arrays: every tensor of the architecture, float32 or float16, written as it is; of those
            that it leaves to choice, such as a data prior's, all or none.
        description: its architecture and width must be those of the arrays.

    Raises:
        CheckpointError: names, finiteness or description are wrong.
        WrongShapeError: a tensor has another shape than its architecture asks for.
        WrongDtypeError: an array is neither float32 nor float16.
        OSError: the folder cannot be written.
    """
    _check(arrays, description)
    write_safetensors(Path(path), arrays, description.to_json())


def import_checkpoint(source_path: str | Path, target_path: str | Path) -> CheckpointDescription:
    """Turn a course checkpoint (`.cpt`) or safetensors into a native checkpoint.

    The kind of file is told by its content. Where it brings no description of ours, it gets the
    course's schedule (T = 1000, betas linear from 1e-4 to 0.01) and its SHA-256 as source.
    float16 safetensors stay float16, everything else is written as float32. Nothing in the file
    is executed, and nothing is written unless all of it is right.

    Raises:
        FormatError: the file is no checkpoint that we know; see formats.errors.
        OSError: a file cannot be opened or written.
    """
    source = Path(source_path)
    with source.open("rb") as file:
        start = file.read(_HEADER_AT + 1)
    # The length of its header, which comes first, may begin with any byte.
    is_safetensors = start[_HEADER_AT:] == b"{"
    text: str | None = None
    tensors: Mapping[str, npt.NDArray[Any]]
    if start.startswith(_ZIP_START) and not is_safetensors:
        tensors = read_course_checkpoint(source)
    elif start.startswith(_PICKLE_START) and not is_safetensors:
        raise OldTorchFormatError(
            "the file is a bare pickle, the format of torch before 1.6, which is not read; load "
            "it where you trust it and save it again with torch.save(model.state_dict(), path)"
        )
    else:
        tensors, metadata = read_safetensors(source)
        text = metadata.get("darkroom")
    architecture, width = identify({name: array.shape for name, array in tensors.items()})
    if text is None:
        description = CheckpointDescription(architecture, width)
    else:
        description = CheckpointDescription.from_json(text)
    if not description.source:
        description = replace(description, source=f"imported, sha256 {sha256_of(source)}")
    write_checkpoint(target_path, tensors, description)
    return description


def _check(arrays: Mapping[str, npt.NDArray[Any]], description: CheckpointDescription) -> None:
    found = identify({name: array.shape for name, array in arrays.items()})
    if found != (description.architecture, description.width):
        raise BadDescriptionError(
            f"described as {description.architecture} of width {description.width}, "
            f"but the tensors are those of {found[0]} of width {found[1]}"
        )
    for name, array in arrays.items():
        if array.dtype not in (np.float32, np.float16):
            raise WrongDtypeError(f"{name} is {array.dtype}; allowed are float32 and float16")
        if not np.isfinite(array).all():
            raise NonFiniteWeightsError(
                f"{name} holds {np.count_nonzero(~np.isfinite(array))} values that are NaN "
                f"or infinite, of {array.size}; all must be finite"
            )
