import io
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from formats import course_checkpoint
from formats.course_checkpoint import read_course_checkpoint
from formats.errors import (
    FormatError,
    MalformedCheckpointError,
    NotACheckpointError,
    TooLargeError,
    TruncatedCheckpointError,
    UnsafePickleError,
    WrongDtypeError,
)

Save = Callable[..., Path]
Make = Callable[..., OrderedDict[str, torch.Tensor]]


def _rewrite(path: Path, change: Callable[[str, bytes], bytes | None], **options: int) -> None:
    """Write the zip anew with each record changed, or left out where the change gives None."""
    with zipfile.ZipFile(path) as old:
        records = {name: change(name, old.read(name)) for name in old.namelist()}
    with zipfile.ZipFile(path, "w", **options) as new:  # type: ignore[arg-type]
        for name, content in records.items():
            if content is not None:
                new.writestr(name, content)


@pytest.mark.parametrize(
    "dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64], ids=str
)
def test_weights_are_what_torch_saved(
    dtype: torch.dtype, make_state_dict: Make, save_cpt: Save
) -> None:
    saved = make_state_dict(dtype=dtype)

    arrays = read_course_checkpoint(save_cpt(saved))

    assert list(arrays) == list(saved)
    for name, array in arrays.items():
        assert array.dtype == np.float32
        assert array.flags.c_contiguous
        np.testing.assert_array_equal(array, saved[name].float().numpy())


def test_a_real_module_with_metadata_is_read(save_cpt: Save) -> None:
    module = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.Conv2d(2, 1, 1))

    arrays = read_course_checkpoint(save_cpt(module.state_dict()))

    assert list(arrays) == ["0.weight", "0.bias", "1.weight", "1.bias"]
    np.testing.assert_array_equal(arrays["0.weight"], module[0].weight.detach().numpy())


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_every_pickle_protocol_of_torch_is_read(protocol: int, save_cpt: Save) -> None:
    saved = OrderedDict(a=torch.arange(3.0), b=torch.ones(2, 2, dtype=torch.float16))

    arrays = read_course_checkpoint(save_cpt(saved, pickle_protocol=protocol))

    np.testing.assert_array_equal(arrays["a"], [0, 1, 2])
    np.testing.assert_array_equal(arrays["b"], [[1, 1], [1, 1]])


def test_views_strides_and_shared_storages_are_honoured(save_cpt: Save) -> None:
    base = torch.arange(24.0).reshape(2, 3, 4)
    saved = {
        "whole": base,
        "transposed": base.transpose(0, 2),
        "sliced": base[1, ::2, 1:3],
        "expanded": base[0, 0, :1].expand(5),
        "scalar": base[1, 2, 3],
        "bfloat16": base.bfloat16().permute(2, 0, 1),
    }

    arrays = read_course_checkpoint(save_cpt(saved))

    for name, tensor in saved.items():
        assert arrays[name].shape == tuple(tensor.shape)
        assert arrays[name].flags.writeable
        np.testing.assert_array_equal(arrays[name], tensor.float().numpy())


@pytest.mark.parametrize("wrapper", ["state_dict", "model", "model_state_dict"])
def test_a_wrapped_state_dict_of_a_training_run_is_read(wrapper: str, save_cpt: Save) -> None:
    weight = torch.nn.Parameter(torch.ones(3))
    optimizer = torch.optim.Adam([weight])
    weight.sum().backward()
    optimizer.step()
    saved = {wrapper: {"a": weight}, "epoch": 3, "loss": 0.5, "optimizer": optimizer.state_dict()}

    arrays = read_course_checkpoint(save_cpt(saved))

    assert list(arrays) == ["a"]
    np.testing.assert_array_equal(arrays["a"], weight.detach().numpy())


def test_the_prefix_of_data_parallel_is_taken_off(save_cpt: Save) -> None:
    arrays = read_course_checkpoint(
        save_cpt({"module.a": torch.ones(2), "module.b": torch.ones(1)})
    )

    assert list(arrays) == ["a", "b"]


def test_big_endian_storages_are_read(save_cpt: Save) -> None:
    path = save_cpt({"a": torch.tensor([1.0, 2.0, 3.0])})

    def swap(name: str, content: bytes) -> bytes:
        if name.endswith("/byteorder"):
            return b"big"
        return (
            np.frombuffer(content, "<f4").astype(">f4").tobytes() if "/data/" in name else content
        )

    _rewrite(path, swap)

    np.testing.assert_array_equal(read_course_checkpoint(path)["a"], [1, 2, 3])


def test_a_file_of_an_older_torch_without_byteorder_is_read(save_cpt: Save) -> None:
    path = save_cpt({"a": torch.tensor([1.0, 2.0])})
    _rewrite(path, lambda name, content: None if name.endswith("/byteorder") else content)

    np.testing.assert_array_equal(read_course_checkpoint(path)["a"], [1, 2])


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_says_so(share: float, make_state_dict: Make, save_cpt: Save) -> None:
    path = save_cpt(make_state_dict())
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])

    with pytest.raises(TruncatedCheckpointError, match="not the whole file"):
        read_course_checkpoint(path)


def test_a_whole_pickled_module_is_refused_by_the_name_of_its_class(save_cpt: Save) -> None:
    with pytest.raises(UnsafePickleError, match=r"torch\.nn\.modules\.linear\.Linear.*state_dict"):
        read_course_checkpoint(save_cpt(torch.nn.Linear(2, 2)))


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        ({"a": torch.ones(2, dtype=torch.int64)}, WrongDtypeError, "a is a LongStorage; allowed"),
        ({"a": 3}, NotACheckpointError, "the entry a is a int"),
        ({3: torch.ones(2)}, NotACheckpointError, "the entry 3"),
        ({}, NotACheckpointError, "no state_dict"),
        (torch.ones(2), NotACheckpointError, "no state_dict"),
        ([torch.ones(2)], NotACheckpointError, "holds a list"),
        ({"a": torch.ones(0, 3)}, MalformedCheckpointError, "no values at all"),
        ({"a": torch.ones([1] * 9)}, MalformedCheckpointError, "at most 8"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_state_dict_of_floats_is_refused(
    content: object, error: type[FormatError], words: str, save_cpt: Save
) -> None:
    with pytest.raises(error, match=words):
        read_course_checkpoint(save_cpt(content))


def test_a_small_file_cannot_grow_by_expanded_tensors(save_cpt: Save) -> None:
    with pytest.raises(TooLargeError, match="values of 4 bytes"):
        read_course_checkpoint(save_cpt({"a": torch.ones(1).expand(10**6, 10**6)}))


def test_a_small_file_cannot_grow_by_compression(save_cpt: Save) -> None:
    path = save_cpt({"a": torch.zeros(10**6)})
    _rewrite(path, lambda _, content: content, compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 10**5

    with pytest.raises(MalformedCheckpointError, match="never compresses"):
        read_course_checkpoint(path)


def test_a_compressed_record_is_refused_also_where_it_is_small(save_cpt: Save) -> None:
    path = save_cpt({"a": torch.rand(1000)})
    _rewrite(path, lambda _, content: content, compression=zipfile.ZIP_DEFLATED)
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = b"x" * 60_000

    with pytest.raises(MalformedCheckpointError, match="compressed"):
        read_course_checkpoint(path)


def test_a_file_over_the_limit_is_refused(save_cpt: Save, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(course_checkpoint, "MAX_CHECKPOINT_BYTES", 100)

    with pytest.raises(TooLargeError, match="100 bytes at most"):
        read_course_checkpoint(save_cpt({"a": torch.ones(2)}))


def test_a_tensor_that_reaches_beyond_its_storage_is_refused(save_cpt: Save) -> None:
    path = save_cpt({"a": torch.arange(6.0).reshape(2, 3)})
    shape = b"K\x02K\x03\x86"  # BININT1 2, BININT1 3, TUPLE2
    _rewrite(path, lambda _, content: content.replace(shape, b"K\x02K\x04\x86"))

    with pytest.raises(MalformedCheckpointError, match="reaches to value 6 of a storage of 6"):
        read_course_checkpoint(path)


def test_a_storage_of_another_size_than_promised_is_refused(save_cpt: Save) -> None:
    path = save_cpt({"a": torch.arange(6.0)})
    _rewrite(path, lambda name, content: content[:-4] if "/data/" in name else content)

    with pytest.raises(MalformedCheckpointError, match=r"has 20 bytes; 6 values .* need 24"):
        read_course_checkpoint(path)


def test_a_missing_storage_is_named(save_cpt: Save) -> None:
    path = save_cpt({"a": torch.arange(6.0)})
    _rewrite(path, lambda name, content: None if "/data/0" in name else content)

    with pytest.raises(MalformedCheckpointError, match="lacks the record data/0"):
        read_course_checkpoint(path)


def test_a_damaged_storage_is_found_by_its_checksum(save_cpt: Save) -> None:
    path = save_cpt({"a": torch.full((8,), 1.5)})
    number = np.float32(1.5).tobytes()
    path.write_bytes(path.read_bytes().replace(number, np.float32(1.25).tobytes(), 1))

    with pytest.raises(MalformedCheckpointError, match="CRC"):
        read_course_checkpoint(path)


def test_an_ordinary_zip_is_no_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "letters.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("letter.txt", "Dear reader")

    with pytest.raises(NotACheckpointError, match=r"0 records NAME/data\.pkl"):
        read_course_checkpoint(path)


def test_overflowing_doubles_become_infinite_for_the_check_to_find(save_cpt: Save) -> None:
    arrays = read_course_checkpoint(save_cpt({"a": torch.tensor([1e300, 1.0]).double() * 1e10}))

    assert np.isinf(arrays["a"][0])


def test_a_missing_file_is_an_operating_system_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_course_checkpoint(tmp_path / "nothing.cpt")


def test_torch_itself_reads_what_these_tests_rewrite(save_cpt: Save) -> None:
    path = save_cpt({"a": torch.arange(6.0)})
    _rewrite(path, lambda _, content: content)

    loaded = torch.load(io.BytesIO(path.read_bytes()), weights_only=True)

    assert torch.equal(loaded["a"], torch.arange(6.0))
