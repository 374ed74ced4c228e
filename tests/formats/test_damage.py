"""Whatever happens to a file's bytes, the answer is its content or a FormatError."""

import contextlib
import gzip
import io
import pickletools
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from formats.course_checkpoint import read_course_checkpoint
from formats.errors import FormatError
from formats.faces import load_ages
from formats.pictures import decode_png, encode_png, read_png_parameters
from formats.safetensors_file import read_safetensors
from formats.state_dict_pickle import parse_state_dict_pickle

FUZZ = settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
TENSORS = {"a.weight": torch.arange(6.0).reshape(2, 3), "b": torch.ones(2).bfloat16()}

places = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=4)


def _damage(content: bytes, changes: list[tuple[int, int]], length: int | None = None) -> bytes:
    damaged = bytearray(content[:length])
    for place, byte in changes:
        if damaged:
            damaged[place % len(damaged)] = byte
    return bytes(damaged)


def _only_format_errors(read: Callable[[], object]) -> None:
    with contextlib.suppress(FormatError):
        read()


@pytest.fixture(scope="module")
def contents(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("whole")
    torch.save(TENSORS, folder / "cpt")
    save_file(TENSORS, folder / "safetensors", metadata={"key": "text"})
    with zipfile.ZipFile(folder / "cpt") as archive:
        pickled = archive.read("cpt/data.pkl")
    npy = io.BytesIO()
    np.save(npy, np.arange(20))
    return {
        "cpt": (folder / "cpt").read_bytes(),
        "safetensors": (folder / "safetensors").read_bytes(),
        "pickle": pickled,
        "npy": npy.getvalue(),
        "npy.gz": gzip.compress(npy.getvalue(), mtime=0),
        "png": encode_png(np.zeros((4, 4), np.uint8), {"seed": 1}),
    }


@FUZZ
@given(places)
def test_a_cpt_with_changed_bytes(
    contents: dict[str, bytes], tmp_path: Path, changes: list[tuple[int, int]]
) -> None:
    (tmp_path / "cpt").write_bytes(_damage(contents["cpt"], changes))

    _only_format_errors(lambda: read_course_checkpoint(tmp_path / "cpt"))


@FUZZ
@given(places)
def test_a_cpt_with_changed_bytes_in_its_directory(
    contents: dict[str, bytes], tmp_path: Path, changes: list[tuple[int, int]]
) -> None:
    start = contents["cpt"].index(b"PK\x01\x02")
    content = contents["cpt"][:start] + _damage(contents["cpt"][start:], changes)
    (tmp_path / "cpt").write_bytes(content)

    _only_format_errors(lambda: read_course_checkpoint(tmp_path / "cpt"))


@FUZZ
@given(places)
def test_a_cpt_whose_pickle_is_changed_under_a_right_checksum(
    contents: dict[str, bytes], tmp_path: Path, changes: list[tuple[int, int]]
) -> None:
    with (
        zipfile.ZipFile(io.BytesIO(contents["cpt"])) as old,
        zipfile.ZipFile(tmp_path / "cpt", "w") as new,
    ):
        for name in old.namelist():
            is_pickle = name.endswith("data.pkl")
            new.writestr(name, _damage(old.read(name), changes) if is_pickle else old.read(name))

    _only_format_errors(lambda: read_course_checkpoint(tmp_path / "cpt"))


@FUZZ
@given(st.lists(st.sampled_from([op.code.encode("latin-1") for op in pickletools.opcodes])))
def test_any_program_of_pickle_opcodes(opcodes: list[bytes]) -> None:
    _only_format_errors(lambda: parse_state_dict_pickle(b"".join(opcodes) + b"."))


@FUZZ
@given(places)
def test_a_pickle_with_changed_bytes(
    contents: dict[str, bytes], changes: list[tuple[int, int]]
) -> None:
    _only_format_errors(lambda: parse_state_dict_pickle(_damage(contents["pickle"], changes)))


@FUZZ
@given(places, st.one_of(st.none(), st.integers(0, 300)))
def test_safetensors_with_changed_bytes(
    contents: dict[str, bytes],
    tmp_path: Path,
    changes: list[tuple[int, int]],
    length: int | None,
) -> None:
    (tmp_path / "file").write_bytes(_damage(contents["safetensors"], changes, length))

    _only_format_errors(lambda: read_safetensors(tmp_path / "file"))


@pytest.mark.parametrize("kind", ["npy", "npy.gz"])
@FUZZ
@given(places, st.one_of(st.none(), st.integers(0, 300)))
def test_an_array_with_changed_bytes(
    kind: str, contents: dict[str, bytes], changes: list[tuple[int, int]], length: int | None
) -> None:
    content = _damage(contents[kind], changes, length)

    _only_format_errors(lambda: load_ages(io.BytesIO(content)))


@FUZZ
@given(places, st.one_of(st.none(), st.integers(0, 300)))
def test_a_png_with_changed_bytes(
    contents: dict[str, bytes], changes: list[tuple[int, int]], length: int | None
) -> None:
    content = _damage(contents["png"], changes, length)

    _only_format_errors(lambda: decode_png(content))
    _only_format_errors(lambda: read_png_parameters(content))
