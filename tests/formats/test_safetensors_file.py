import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from formats import safetensors_file
from formats.errors import (
    FormatError,
    MalformedCheckpointError,
    TooLargeError,
    TruncatedCheckpointError,
    WrongDtypeError,
)
from formats.safetensors_file import read_safetensors, write_safetensors

FOUR_BYTES = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}


def _write(path: Path, header: object, data: bytes) -> Path:
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


def test_all_three_precisions_and_the_metadata_are_read(tmp_path: Path) -> None:
    saved = {
        "a": torch.randn(2, 3),
        "b": torch.randn(4).half(),
        "c": torch.tensor([1.5, -2.0, torch.inf, -0.0]).bfloat16(),
        "scalar": torch.tensor(3.0),
    }
    save_file(saved, tmp_path / "file", metadata={"key": "text"})

    tensors, metadata = read_safetensors(tmp_path / "file")

    assert metadata == {"key": "text"}
    assert {name: str(array.dtype) for name, array in tensors.items()} == {
        "a": "float32",
        "b": "float16",
        "c": "float32",
        "scalar": "float32",
    }
    for name, tensor in saved.items():
        np.testing.assert_array_equal(tensors[name], tensor.float().numpy())


@pytest.mark.parametrize(
    ("header", "error", "words"),
    [
        ({"a": FOUR_BYTES | {"dtype": "I64"}}, WrongDtypeError, "dtype I64; allowed are F32"),
        ({"a": FOUR_BYTES | {"dtype": ["F32"]}}, WrongDtypeError, "allowed are F32"),
        ({"a": FOUR_BYTES | {"shape": [2]}}, MalformedCheckpointError, "4 bytes; it needs 8"),
        ({"a": FOUR_BYTES | {"shape": [-1]}}, MalformedCheckpointError, "must have a shape"),
        ({"a": FOUR_BYTES | {"shape": [True]}}, MalformedCheckpointError, "must have a shape"),
        ({"a": FOUR_BYTES | {"shape": [1] * 9}}, MalformedCheckpointError, "at most 8"),
        ({"a": FOUR_BYTES | {"shape": [0]}}, MalformedCheckpointError, "more than 0"),
        ({"a": FOUR_BYTES | {"data_offsets": [0]}}, MalformedCheckpointError, "two data_offsets"),
        ({"a": FOUR_BYTES | {"data_offsets": [4, 8]}}, TruncatedCheckpointError, "byte 8"),
        ({"a": 3}, MalformedCheckpointError, "'a' must have a shape"),
        ({"a": FOUR_BYTES, "b": FOUR_BYTES}, MalformedCheckpointError, "follow one another"),
        ({}, MalformedCheckpointError, "end at byte 0"),
        ({"__metadata__": {"a": 1}}, MalformedCheckpointError, "map texts to texts"),
    ],
)
def test_headers_that_contradict_the_file_are_refused(
    header: object, error: type[FormatError], words: str, tmp_path: Path
) -> None:
    path = _write(tmp_path / "file", header, bytes(4))

    with pytest.raises(error, match=words):
        read_safetensors(path)


@pytest.mark.parametrize("text", [b'{"a": ', b"{\xff}", b'{"a":' * 50_000])
def test_headers_that_are_no_json_are_refused(text: bytes, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(len(text).to_bytes(8, "little") + text)

    with pytest.raises(MalformedCheckpointError, match="not JSON"):
        read_safetensors(tmp_path / "file")


def test_a_header_without_end_is_refused_unread(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes((2**40).to_bytes(8, "little") + b"{}")

    with pytest.raises(MalformedCheckpointError, match=f"not {2**40}"):
        read_safetensors(tmp_path / "file")


def test_a_file_over_the_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _write(tmp_path / "file", {"a": FOUR_BYTES}, bytes(4))
    monkeypatch.setattr(safetensors_file, "MAX_CHECKPOINT_BYTES", 10)

    with pytest.raises(TooLargeError, match="10 bytes at most"):
        read_safetensors(path)


def test_a_failed_write_leaves_the_older_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    target.mkdir()

    with pytest.raises(OSError, match="folder"):
        write_safetensors(target, {"a": np.ones(1, np.float32)}, "{}")

    assert list(tmp_path.iterdir()) == [target]
