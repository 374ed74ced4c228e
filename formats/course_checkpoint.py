"""The course's checkpoints (`.cpt`, `.pt`): torch.save's zip, read statically by NumPy.

The zip holds `NAME/data.pkl`, one record `NAME/data/KEY` per storage, and `NAME/byteorder`.
Nothing is unpickled, imported or executed, and torch is not needed.
"""

import errno
import math
import os
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from formats.errors import (
    FormatError,
    MalformedCheckpointError,
    NotACheckpointError,
    TooLargeError,
    TruncatedCheckpointError,
    WrongDtypeError,
)
from formats.safetensors_file import MAX_CHECKPOINT_BYTES, MAX_RANK, widen_bfloat16
from formats.state_dict_pickle import StorageReference, TensorReference, parse_state_dict_pickle

MAX_PICKLE_BYTES = 2**20  # a state_dict of a hundred tensors takes 10 kB
MAX_TENSORS = 4096
_DAMAGES = (  # what zipfile raises beside BadZipFile
    *(NotImplementedError, RuntimeError, ValueError),
    *(EOFError, OverflowError, struct.error),
)
_WRAPPERS = ("state_dict", "model", "model_state_dict")
_DATA_PARALLEL_PREFIX = "module."
_DTYPES = {
    "FloatStorage": "f4",
    "HalfStorage": "f2",
    "BFloat16Storage": "u2",
    "DoubleStorage": "f8",
}


def read_course_checkpoint(path: str | Path) -> dict[str, npt.NDArray[np.float32]]:
    """Read a state_dict that torch.save wrote, without torch.

    The state_dict may stand alone or in a dict under `state_dict`, `model` or
    `model_state_dict`; the prefix `module.` of torch's DataParallel is taken off.

    Returns:
        Name to C-contiguous float32 array; float16 and bfloat16 are widened, float64 rounded.

    Raises:
        NotACheckpointError: the file is no zip of torch.save, or holds no state_dict.
        TruncatedCheckpointError: the zip ends too early.
        MalformedCheckpointError: the zip or its pickle is damaged.
        UnsafePickleError: the pickle asks for more than a state_dict needs.
        WrongDtypeError: a tensor of the state_dict is not floating point.
        TooLargeError: the file or its tensors are larger than a checkpoint may be.
        OSError: the file cannot be opened.
    """
    with Path(path).open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > MAX_CHECKPOINT_BYTES:
            raise TooLargeError(
                f"a checkpoint may have {MAX_CHECKPOINT_BYTES} bytes at most, not {size}"
            )
        with _zip_errors(size), zipfile.ZipFile(file) as archive:
            records = _Records(archive, size)
            state_dict = _find_state_dict(parse_state_dict_pickle(records.pickle()))
            _check_total(state_dict)
            return {name: _read_tensor(name, state_dict[name], records) for name in state_dict}


@contextmanager
def _zip_errors(size: int) -> Iterator[None]:
    """Say in our words what zipfile finds wrong with a file of that size."""
    try:
        yield
    except FormatError:
        raise
    except zipfile.BadZipFile as error:
        if "not a zip" in str(error):
            raise TruncatedCheckpointError(
                f"the zip has no directory at its end: the {size} bytes are not the whole file"
            ) from error
        raise MalformedCheckpointError(f"the zip is damaged: {error}") from error
    except _DAMAGES as error:
        raise MalformedCheckpointError(f"the zip is damaged: {error}") from error
    except OSError as error:
        if error.errno != errno.EINVAL:  # EINVAL is a seek to a place that a damaged zip names
            raise
        raise MalformedCheckpointError(f"the zip is damaged: {error}") from error


class _Records:
    """The records of the zip: only stored ones, so that no file grows when it is read."""

    def __init__(self, archive: zipfile.ZipFile, size: int) -> None:
        self._archive = archive
        self._entries = {entry.filename: entry for entry in archive.infolist()}
        total = sum(entry.file_size for entry in archive.infolist())
        if total > size:
            raise MalformedCheckpointError(
                f"the zip claims {total} bytes of content within a file of {size}; "
                "torch.save never compresses"
            )
        roots = [name[: -len("data.pkl")] for name in self._entries if name.endswith("/data.pkl")]
        if len(roots) != 1:
            raise NotACheckpointError(
                f"the zip holds {len(roots)} records NAME/data.pkl; torch.save writes exactly one"
            )
        self._root = roots[0]
        self._storages: dict[str, bytes] = {}
        order = self._read("byteorder") if f"{self._root}byteorder" in self._entries else b"little"
        if order not in (b"little", b"big"):
            raise MalformedCheckpointError(
                f"the byte order must be little or big, not {order[:20]!r}"
            )
        self._order = "<" if order == b"little" else ">"

    def pickle(self) -> bytes:
        size = self._entries[f"{self._root}data.pkl"].file_size
        if size > MAX_PICKLE_BYTES:
            raise TooLargeError(f"data.pkl may have {MAX_PICKLE_BYTES} bytes at most, not {size}")
        return self._read("data.pkl")

    def storage(self, reference: StorageReference) -> npt.NDArray[Any]:
        """Give a storage's numbers, (count,), bfloat16 as uint16 words."""
        dtype = np.dtype(self._order + _DTYPES[reference.kind])
        if reference.key not in self._storages:
            self._storages[reference.key] = self._read(f"data/{reference.key}")
        content = self._storages[reference.key]
        if len(content) != reference.count * dtype.itemsize:
            raise MalformedCheckpointError(
                f"storage {reference.key[:50]} has {len(content)} bytes; {reference.count} "
                f"values of {reference.kind} need {reference.count * dtype.itemsize}"
            )
        return np.frombuffer(content, dtype)

    def _read(self, name: str) -> bytes:
        entry = self._entries.get(f"{self._root}{name}")
        if entry is None:
            raise MalformedCheckpointError(f"the zip lacks the record {name[:50]}")
        if entry.compress_type != zipfile.ZIP_STORED:
            raise MalformedCheckpointError(
                f"the record {name[:50]} is compressed; torch.save never compresses"
            )
        return self._archive.read(entry)


def _find_state_dict(content: object) -> dict[str, TensorReference]:
    if isinstance(content, dict):
        for wrapper in _WRAPPERS:
            if isinstance(content.get(wrapper), dict):
                content = content[wrapper]
                break
    if not isinstance(content, dict) or not content:
        raise NotACheckpointError(
            f"the file holds a {type(content).__name__} and no state_dict; "
            "save model.state_dict() alone"
        )
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, TensorReference):
            raise NotACheckpointError(
                f"the entry {str(name)[:100]} is a {type(value).__name__}; "
                "a state_dict maps names to tensors"
            )
    if all(name.startswith(_DATA_PARALLEL_PREFIX) for name in content):
        return {name.removeprefix(_DATA_PARALLEL_PREFIX): content[name] for name in content}
    return content


def _check_total(state_dict: dict[str, TensorReference]) -> None:
    if len(state_dict) > MAX_TENSORS:
        raise TooLargeError(f"a state_dict may have {MAX_TENSORS} tensors, not {len(state_dict)}")
    for name, tensor in state_dict.items():
        if len(tensor.shape) != len(tensor.strides) or len(tensor.shape) > MAX_RANK:
            raise MalformedCheckpointError(
                f"{name[:100]} has {len(tensor.shape)} sizes and {len(tensor.strides)} strides; "
                f"they must be as many, and at most {MAX_RANK}"
            )
    values = sum(math.prod(tensor.shape) for tensor in state_dict.values())
    if values * np.dtype(np.float32).itemsize > MAX_CHECKPOINT_BYTES:
        raise TooLargeError(
            f"the weights may take {MAX_CHECKPOINT_BYTES} bytes as float32 at most, "
            f"not {values:.3g} values of 4 bytes"
        )


def _read_tensor(name: str, tensor: TensorReference, records: _Records) -> npt.NDArray[np.float32]:
    if tensor.storage.kind not in _DTYPES:
        raise WrongDtypeError(
            f"{name[:100]} is a {tensor.storage.kind}; allowed are {', '.join(_DTYPES)}"
        )
    values = records.storage(tensor.storage)
    steps = list(zip(tensor.shape, tensor.strides, strict=True))
    last = tensor.offset + sum((size - 1) * stride for size, stride in steps)
    if 0 in tensor.shape or last >= len(values):
        raise MalformedCheckpointError(
            f"{name[:100]} reaches to value {last} of a storage of {len(values)}, "
            "or has no values at all"
        )
    view = np.lib.stride_tricks.as_strided(
        values[tensor.offset :],
        tensor.shape,
        [stride * values.itemsize if size > 1 else 0 for size, stride in steps],
        writeable=False,
    )
    if tensor.storage.kind == "BFloat16Storage":
        return np.ascontiguousarray(widen_bfloat16(view)).reshape(tensor.shape)
    with np.errstate(over="ignore"):  # becomes infinity, which the check of the weights finds
        return view.astype(np.float32, order="C")
