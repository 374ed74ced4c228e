import gzip
import io
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from formats.errors import (
    CorruptGzipError,
    FormatError,
    NotAnArrayError,
    ObjectArrayError,
    TooLargeError,
    TruncatedArrayError,
    TruncatedGzipError,
    WrongDtypeError,
)
from formats.faces import load_ages, load_faces

FACES = np.random.default_rng(4).integers(0, 256, (20, 48, 48), np.uint8)


def _npy(array: object, **options: bool) -> bytes:
    content = io.BytesIO()
    np.save(content, array, **options)
    return content.getvalue()


def _npy_with_header(text: str, data: bytes = b"", version: int = 1) -> bytes:
    length = len(text).to_bytes(2 if version == 1 else 4, "little")
    return b"\x93NUMPY" + bytes([version, 0]) + length + text.encode() + data


class _Attack:
    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple[object, ...]:
        return Path.mkdir, (self.proof,)


def test_an_array_of_objects_is_refused_and_never_unpickled(tmp_path: Path) -> None:
    content = _npy(np.array([_Attack(tmp_path / "executed")], object), allow_pickle=True)

    with pytest.raises(ObjectArrayError, match="never loaded"):
        load_faces(io.BytesIO(content))
    assert not (tmp_path / "executed").exists()

    np.load(io.BytesIO(content), allow_pickle=True)  # the attack is real
    assert (tmp_path / "executed").exists()


@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_a_truncated_gzip_says_so(share: float) -> None:
    content = gzip.compress(_npy(FACES))

    with pytest.raises(TruncatedGzipError, match="not whole"):
        load_faces(io.BytesIO(content[: int(len(content) * share)]))


@pytest.mark.parametrize("length", [7, 9, 50, 200, 40_000])
def test_a_truncated_array_says_so(length: int) -> None:
    for content in (_npy(FACES)[:length], gzip.compress(_npy(FACES)[:length])):
        with pytest.raises(TruncatedArrayError, match=r"ends within|are there"):
            load_faces(io.BytesIO(content))


def test_a_gzip_with_a_wrong_checksum_is_corrupt() -> None:
    content = bytearray(gzip.compress(_npy(FACES)))
    content[-8] ^= 1

    with pytest.raises(CorruptGzipError, match="CRC"):
        load_faces(io.BytesIO(content))


@pytest.mark.parametrize(
    "content",
    [
        gzip.compress(bytes(200 * 2**20), 1),
        gzip.compress(_npy(FACES[:1]) + bytes(200 * 2**20), 1),
        gzip.compress(
            _npy_with_header(
                "{'descr': '|u1', 'fortran_order': False, 'shape': (10**9, 48, 48)}".replace(
                    "10**9", str(10**9)
                ),
                bytes(50 * 2**20),
            ),
            1,
        ),
    ],
    ids=["zeros", "behind an array", "promised by the header"],
)
def test_a_gzip_bomb_is_refused_before_it_grows(content: bytes) -> None:
    tracemalloc.start()

    with pytest.raises((NotAnArrayError, TooLargeError)):
        load_faces(io.BytesIO(content))

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**20


def test_the_limit_is_the_callers() -> None:
    content = gzip.compress(_npy(FACES))

    assert len(load_faces(io.BytesIO(content), max_bytes=FACES.nbytes)) == 20
    with pytest.raises(TooLargeError, match=f"{FACES.nbytes - 1} bytes at most"):
        load_faces(io.BytesIO(content), max_bytes=FACES.nbytes - 1)


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        (b"", NotAnArrayError, "begins with b''"),
        (b"1,2,3\n", NotAnArrayError, "begins with"),
        (b"\x93NUMPY\x09\x00", NotAnArrayError, "version is 9"),
        (_npy_with_header("{'descr': "), NotAnArrayError, "damaged"),
        (_npy_with_header("(" * 5000), NotAnArrayError, "damaged"),
        (_npy_with_header("__import__('os')"), NotAnArrayError, "damaged"),
        (_npy_with_header("{}"), NotAnArrayError, "keys"),
        (_npy_with_header(" " * 20_000), NotAnArrayError, "10000 bytes at most"),
        (
            _npy_with_header("{'descr': '<i8', 'fortran_order': 0, 'shape': (1,)}"),
            NotAnArrayError,
            "True or False",
        ),
        (
            _npy_with_header("{'descr': '<i8', 'fortran_order': False, 'shape': (-1,)}"),
            NotAnArrayError,
            "tuple of sizes",
        ),
        (
            _npy_with_header("{'descr': 'zz', 'fortran_order': False, 'shape': (1,)}"),
            WrongDtypeError,
            "'zz' is unknown",
        ),
        (_npy(np.zeros(2, [("a", "i4")])), WrongDtypeError, "structured"),
        (_npy(np.zeros(2, "M8[s]")), WrongDtypeError, "plain numbers"),
        (_npy(np.arange(3)) + b"x", NotAnArrayError, "goes on after the 24 bytes"),
    ],
)
def test_content_that_is_no_plain_array_is_refused(
    content: bytes, error: type[FormatError], words: str
) -> None:
    with pytest.raises(error, match=words):
        load_ages(io.BytesIO(content))


def test_an_archive_of_arrays_is_no_array() -> None:
    content = io.BytesIO()
    np.savez(content, FACES)
    content.seek(0)

    with pytest.raises(NotAnArrayError, match="PK"):
        load_faces(content)


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_every_version_of_the_format_is_read(version: tuple[int, int]) -> None:
    content = io.BytesIO()
    np.lib.format.write_array(content, FACES, version)
    content.seek(0)

    np.testing.assert_array_equal(load_faces(content), FACES)


def test_an_open_file_is_read_from_where_it_stands() -> None:
    content = io.BytesIO(b"head" + _npy(FACES))
    content.seek(4)

    np.testing.assert_array_equal(load_faces(content), FACES)


def test_a_missing_file_is_an_operating_system_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_faces(tmp_path / "nothing.npy")
