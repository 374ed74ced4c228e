import gzip
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats.errors import (
    FormatError,
    LengthMismatchError,
    OutOfRangeError,
    WrongDtypeError,
    WrongShapeError,
)
from formats.faces import (
    check_equal_length,
    from_unit_range,
    load_ages,
    load_faces,
    to_unit_range,
    valid_ages,
)

FACES = np.random.default_rng(3).integers(0, 256, (5, 48, 48), np.uint8)


def _save(path: Path, array: object) -> Path:
    with path.open("wb") as file:
        np.save(file, array)
    return path


@pytest.mark.parametrize("is_gzipped", [False, True])
def test_faces_are_told_by_content_and_not_by_name(is_gzipped: bool, tmp_path: Path) -> None:
    path = _save(tmp_path / "faces.txt", FACES)
    if is_gzipped:
        path.write_bytes(gzip.compress(path.read_bytes()))

    faces = load_faces(path)

    assert faces.dtype == np.uint8
    assert faces.flags.writeable
    np.testing.assert_array_equal(faces, FACES)
    with path.open("rb") as file:
        np.testing.assert_array_equal(load_faces(file), FACES)


def test_faces_in_fortran_order_are_the_same_faces(tmp_path: Path) -> None:
    faces = load_faces(_save(tmp_path / "faces.npy", np.asfortranarray(FACES)))

    assert faces.flags.c_contiguous
    np.testing.assert_array_equal(faces, FACES)


@pytest.mark.parametrize(
    ("array", "error", "words"),
    [
        (FACES.astype(np.float32), WrongDtypeError, "float32; they must be uint8"),
        (FACES.astype(np.int8), WrongDtypeError, "int8"),
        (FACES > 5, WrongDtypeError, "bool"),
        (FACES[0], WrongShapeError, r"\(48, 48\); it must be \(N, 48, 48\)"),
        (FACES[:, :47], WrongShapeError, r"\(5, 47, 48\)"),
        (FACES[..., None], WrongShapeError, r"\(5, 48, 48, 1\)"),
        (FACES[:0], WrongShapeError, "N at least 1"),
        (np.uint8(3), WrongShapeError, r"\(\)"),
    ],
)
def test_arrays_that_are_no_faces_are_refused(
    array: object, error: type[FormatError], words: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=words):
        load_faces(_save(tmp_path / "faces.npy", array))


@pytest.mark.parametrize("dtype", ["<i8", ">i4", "u1", "<u8", "<f4", ">f8", "<f2"])
def test_ages_of_every_number_type_are_loaded(dtype: str, tmp_path: Path) -> None:
    ages = load_ages(_save(tmp_path / "ages.npy", np.array([0, 18, 110], dtype)))

    assert ages.dtype == (np.float64 if "f" in dtype else np.int64)
    np.testing.assert_array_equal(ages, [0, 18, 110])


def test_missing_and_wrong_ages_are_kept_but_not_valid(tmp_path: Path) -> None:
    ages = load_ages(_save(tmp_path / "ages.npy", np.array([-1, 0, 50, 100, 101])))

    np.testing.assert_array_equal(ages, [-1, 0, 50, 100, 101])
    np.testing.assert_array_equal(valid_ages(ages), [False, True, True, True, False])


@pytest.mark.parametrize(
    ("array", "error", "words"),
    [
        (np.array([1.0, np.nan]), OutOfRangeError, "age 1 is nan"),
        (np.array([np.inf]), OutOfRangeError, "age 0 is inf"),
        (np.array([2**63], np.uint64), OutOfRangeError, "64 bits"),
        (np.array([[1, 2]]), WrongShapeError, r"\(1, 2\); it must be \(N,\)"),
        (np.array([], np.int64), WrongShapeError, "at least 1"),
        (np.array([True]), WrongDtypeError, "bool"),
        (np.array(["18"]), WrongDtypeError, "plain numbers"),
        (np.array([1j]), WrongDtypeError, "plain numbers"),
    ],
)
def test_arrays_that_are_no_ages_are_refused(
    array: object, error: type[FormatError], words: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=words):
        load_ages(_save(tmp_path / "ages.npy", array))


def test_faces_and_ages_must_be_as_many() -> None:
    check_equal_length(FACES, np.arange(5))

    with pytest.raises(LengthMismatchError, match="5 faces and 4 ages"):
        check_equal_length(FACES, np.arange(4))


def test_every_gray_level_survives_the_unit_range() -> None:
    levels = np.arange(256, dtype=np.uint8)

    values = to_unit_range(levels)

    assert values.dtype == np.float32
    assert (values.min(), values.max()) == (-1, 1)
    np.testing.assert_allclose(values, levels.astype(np.float64) / 127.5 - 1, atol=1e-7)
    np.testing.assert_array_equal(from_unit_range(values), levels)


@given(st.floats(-3, 3, width=32))
def test_the_nearest_gray_level_is_taken_and_the_rest_clipped(value: float) -> None:
    level = int(from_unit_range(np.array([value], np.float64))[0])

    exact = (min(max(value, -1), 1) + 1) * 127.5
    assert abs(level - exact) <= 0.5


def test_a_picture_of_nan_is_refused() -> None:
    with pytest.raises(OutOfRangeError, match="1 of 2 values are NaN"):
        from_unit_range(np.array([0, np.nan]))


def test_real_faces_and_ages_load() -> None:
    folder = os.environ.get("DARKROOM_TEST_FACES")
    if not folder:
        pytest.skip("DARKROOM_TEST_FACES names no folder with faces*.npy.gz and ages*.npy")

    (faces_path,) = Path(folder).glob("*.npy.gz")
    faces = load_faces(faces_path)

    assert faces.shape[1:] == (48, 48)
    assert 0.2 < to_unit_range(faces).std() < 0.8
    for ages_path in Path(folder).glob("ages*.npy"):
        ages = load_ages(ages_path)
        check_equal_length(faces, ages)
        assert valid_ages(ages).mean() > 0.9
