"""NumPy array files (`.npy`, also gzipped), read with a limit and without any pickle.

The header is read here rather than by `numpy.load`: it is checked before a byte of the array is
decompressed, and a truncated file is told from one that is no array at all.
Source of the layout: numpy.lib.format, versions 1.0 to 3.0.
"""

import ast
import gzip
import io
import math
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import numpy.typing as npt

from formats.errors import (
    CorruptGzipError,
    NotAnArrayError,
    ObjectArrayError,
    TooLargeError,
    TruncatedArrayError,
    TruncatedGzipError,
    WrongDtypeError,
)

MAX_ARRAY_BYTES = 512 * 2**20  # 230,000 faces of 48×48
_MAX_HEADER_BYTES = 10_000
_GZIP_START = b"\x1f\x8b"
_MAGIC = b"\x93NUMPY"
_LENGTH_BYTES = {1: 2, 2: 4, 3: 4}  # by the format's major version
_HEADER_KEYS = {"descr", "fortran_order", "shape"}

Source = str | Path | BinaryIO
Check = Callable[[np.dtype[Any], tuple[int, ...]], None]


def read_array(source: Source, check: Check, max_bytes: int) -> npt.NDArray[Any]:
    """Read one array from `.npy`, plain or gzipped, told by its content.

    Args:
        source: a path, or a seekable binary file, read from its current position to its end.
        check: raises a FormatError if the dtype or the shape is not wanted; called before the
            array's content is read.
        max_bytes: the largest array that is held in memory.

    Returns:
        The array, C-contiguous and writable, in the machine's byte order.

    Raises:
        ArrayFileError: the content is no array, holds objects, is truncated or damaged.
        WrongDtypeError: the dtype is structured or unknown.
        TooLargeError: the array is larger than max_bytes.
        OSError: the file cannot be opened.
    """
    if isinstance(source, str | Path):
        with Path(source).open("rb") as file:
            return read_array(file, check, max_bytes)
    start = source.read(len(_GZIP_START))
    source.seek(-len(start), io.SEEK_CUR)
    if start != _GZIP_START:
        return _read_npy(source, check, max_bytes)
    with _gzip_errors(), gzip.GzipFile(fileobj=source) as unzipped:
        return _read_npy(cast(BinaryIO, unzipped), check, max_bytes)


@contextmanager
def _gzip_errors() -> Iterator[None]:
    try:
        yield
    except EOFError as error:
        raise TruncatedGzipError(
            "the gzip stream ends before its end marker; the file is not whole"
        ) from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise CorruptGzipError(f"the gzip stream is damaged: {error}") from error


def _read_npy(file: BinaryIO, check: Check, max_bytes: int) -> npt.NDArray[Any]:
    dtype, shape, is_fortran = _read_header(file)
    check(dtype, shape)
    size = math.prod(shape) * dtype.itemsize
    if size > max_bytes:
        raise TooLargeError(
            f"an array may have {max_bytes} bytes at most, not {size}", f"{size} bytes"
        )
    content = file.read(size)
    if len(content) < size:
        raise TruncatedArrayError(
            f"the header promises an array of {size} bytes, {len(content)} are there"
        )
    if file.read(1):  # at a gzip stream's end this also verifies its checksum
        raise NotAnArrayError(f"the file goes on after the {size} bytes of its array")
    array = np.frombuffer(content, dtype).reshape(shape, order="F" if is_fortran else "C")
    return np.array(array, dtype.newbyteorder("="), order="C")


def _read_header(file: BinaryIO) -> tuple[np.dtype[Any], tuple[int, ...], bool]:
    magic = file.read(len(_MAGIC))
    if magic != _MAGIC:
        raise NotAnArrayError(
            f"the content begins with {magic!r}; allowed are .npy files, plain or gzipped, "
            f"which begin with {_MAGIC!r}"
        )
    major, _ = _read_exactly(file, 2)
    if major not in _LENGTH_BYTES:
        raise NotAnArrayError(f"the .npy version is {major}; allowed are 1, 2 and 3")
    length = int.from_bytes(_read_exactly(file, _LENGTH_BYTES[major]), "little")
    if length > _MAX_HEADER_BYTES:
        raise NotAnArrayError(
            f"the .npy header may have {_MAX_HEADER_BYTES} bytes at most, not {length}"
        )
    try:
        header = ast.literal_eval(_read_exactly(file, length).decode("utf-8"))
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError) as error:
        if isinstance(error, TruncatedArrayError):
            raise
        raise NotAnArrayError(f"the .npy header is damaged: {error}") from error
    return _parse_header(header)


def _parse_header(header: object) -> tuple[np.dtype[Any], tuple[int, ...], bool]:
    if not isinstance(header, dict) or set(header) != _HEADER_KEYS:
        raise NotAnArrayError(f"the .npy header must have the keys {sorted(_HEADER_KEYS)}")
    shape, is_fortran = header["shape"], header["fortran_order"]
    if not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape):
        raise NotAnArrayError("the .npy header's shape must be a tuple of sizes")
    if not isinstance(is_fortran, bool):
        raise NotAnArrayError("the .npy header's fortran_order must be True or False")
    return _parse_dtype(header["descr"]), shape, is_fortran


def _parse_dtype(descr: object) -> np.dtype[Any]:
    if not isinstance(descr, str):
        raise WrongDtypeError("the array is structured; it must hold plain numbers")
    try:
        dtype = np.dtype(descr)
    except (TypeError, ValueError, SyntaxError) as error:
        raise WrongDtypeError(f"the array's dtype {descr[:50]!r} is unknown") from error
    if dtype.hasobject:
        raise ObjectArrayError(
            "the array holds Python objects, which are never loaded; it must hold plain numbers"
        )
    if dtype.kind in "US":
        raise WrongDtypeError(
            f"the array holds texts ({dtype.str}); it must hold plain numbers: "
            "`array = array.astype(np.float64)` makes them",
            dtype.str,
        )
    if dtype.kind not in "iufb" or dtype.subdtype is not None:
        raise WrongDtypeError(f"the array holds {dtype}; it must hold plain numbers", str(dtype))
    return dtype


def _read_exactly(file: BinaryIO, size: int) -> bytes:
    content = file.read(size)
    if len(content) < size:
        raise TruncatedArrayError("the file ends within the .npy header")
    return content
