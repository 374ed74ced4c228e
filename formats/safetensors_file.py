"""Safetensors files: their header read and checked here, because NumPy has no bfloat16.

Source of the layout: the safetensors README, "Format": eight bytes with the header's length
(little endian), the header as JSON, then the tensors' bytes without gaps.
"""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save

from formats.errors import (
    MalformedCheckpointError,
    NotACheckpointError,
    TooLargeError,
    TruncatedCheckpointError,
    WrongDtypeError,
)

MAX_HEADER_BYTES = 4 * 2**20
MAX_CHECKPOINT_BYTES = 600 * 2**20  # float32 weights of the widest known network take 510 MB
MAX_RANK = 8
_LENGTH_BYTES = 8
_OFFSETS = 2  # begin and end, counted from the end of the header
_ITEM_BYTES = {"F32": 4, "F16": 2, "BF16": 2}

Tensors = dict[str, npt.NDArray[Any]]


def widen_bfloat16(words: npt.NDArray[np.uint16]) -> npt.NDArray[np.float32]:
    """Give bfloat16 values, held as their 16-bit words, as float32 of the same shape: exact."""
    return (words.astype(np.uint32) << np.uint32(16)).view(np.float32)


def read_safetensors(path: Path) -> tuple[Tensors, dict[str, str]]:
    """Read all tensors and the text metadata of a safetensors file.

    Returns:
        Name to array (float32 or float16; bfloat16 is widened to float32), and the metadata.

    Raises:
        NotACheckpointError: the file does not begin as safetensors do.
        TruncatedCheckpointError: it ends before its header or its tensors do.
        MalformedCheckpointError: its header is not valid.
        WrongDtypeError: a tensor is not float32, float16 or bfloat16.
        TooLargeError: it is larger than MAX_CHECKPOINT_BYTES.
        OSError: the file cannot be opened.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > MAX_CHECKPOINT_BYTES:
            raise TooLargeError(
                f"a checkpoint may have {MAX_CHECKPOINT_BYTES} bytes at most, not {size}"
            )
        header = _read_header(file, size)
        data = file.read()
    metadata = _pop_metadata(header)
    tensors = {name: _read_tensor(name, entry, data) for name, entry in header.items()}
    _check_no_gaps(header, len(data))
    return tensors, metadata


def write_safetensors(path: Path, tensors: Mapping[str, npt.NDArray[Any]], text: str) -> None:
    """Write float32 or float16 arrays, with a text under the metadata key `darkroom`.

    The file appears under its name only when it is complete.

    Raises:
        OSError: the folder cannot be written.
    """
    content = save(
        {name: np.ascontiguousarray(array) for name, array in tensors.items()},
        metadata={"darkroom": text},
    )
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}.part")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _read_header(file: BinaryIO, size: int) -> dict[str, Any]:
    start = file.read(_LENGTH_BYTES + 1)
    if len(start) <= _LENGTH_BYTES or start[-1:] != b"{":
        raise NotACheckpointError(
            f"a file of {size} bytes beginning with {start[:8]!r} is no checkpoint; "
            "allowed are safetensors and the zip that torch.save writes"
        )
    length = int.from_bytes(start[:_LENGTH_BYTES], "little")
    if length > MAX_HEADER_BYTES:
        raise MalformedCheckpointError(
            f"the safetensors header may have {MAX_HEADER_BYTES} bytes at most, not {length}"
        )
    if _LENGTH_BYTES + length > size:
        raise TruncatedCheckpointError(
            f"the safetensors header needs {length} bytes, the file has {size} in all"
        )
    text = start[-1:] + file.read(length - 1)
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MalformedCheckpointError(f"the safetensors header is not JSON: {error}") from error
    if not isinstance(header, dict):
        raise MalformedCheckpointError("the safetensors header must be a JSON object")
    return header


def _pop_metadata(header: dict[str, Any]) -> dict[str, str]:
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise MalformedCheckpointError("the safetensors metadata must map texts to texts")
    return metadata


def _sizes(entry: object, key: str) -> list[int] | None:
    value = entry.get(key) if isinstance(entry, dict) else None
    if isinstance(value, list) and all(type(size) is int and size >= 0 for size in value):
        return value
    return None


def _read_tensor(name: str, entry: Any, data: bytes) -> npt.NDArray[Any]:
    shape, offsets = _sizes(entry, "shape"), _sizes(entry, "data_offsets")
    if shape is None or len(shape) > MAX_RANK or offsets is None or len(offsets) != _OFFSETS:
        raise MalformedCheckpointError(
            f"the safetensors entry {name[:100]!r} must have a shape of at most {MAX_RANK} sizes "
            "and two data_offsets"
        )
    dtype = entry.get("dtype")
    if not isinstance(dtype, str) or dtype not in _ITEM_BYTES:
        raise WrongDtypeError(
            f"{name[:100]} has the dtype {str(dtype)[:20]}; allowed are {', '.join(_ITEM_BYTES)}"
        )
    begin, end = offsets
    count = math.prod(shape)
    if count == 0 or end - begin != count * _ITEM_BYTES[dtype]:
        raise MalformedCheckpointError(
            f"{name[:100]} has the shape {tuple(shape)} and {end - begin} bytes; "
            f"it needs {count * _ITEM_BYTES[dtype]}, and more than 0"
        )
    if end > len(data):
        raise TruncatedCheckpointError(
            f"{name[:100]} ends at byte {end} of the data, which has {len(data)} bytes"
        )
    numpy_dtype = {"F32": "<f4", "F16": "<f2", "BF16": "<u2"}[dtype]
    values = np.frombuffer(data, numpy_dtype, count, begin).reshape(shape)
    return widen_bfloat16(values) if dtype == "BF16" else values


def _check_no_gaps(header: Mapping[str, Any], size: int) -> None:
    position = 0
    for begin, end in sorted(tuple(entry["data_offsets"]) for entry in header.values()):
        if begin != position:
            raise MalformedCheckpointError(
                f"the tensors must follow one another; one begins at byte {begin}, "
                f"the one before ends at {position}"
            )
        position = end
    if position != size:
        raise MalformedCheckpointError(
            f"the tensors end at byte {position} of the data, which has {size} bytes"
        )
