"""The synthetic faces: who they are depends on the seed and the index alone."""

import numpy as np
import pytest

from synthetic import FACE_SIZE, synthetic_faces


def test_faces_are_gray_pictures_with_ages_in_years() -> None:
    faces, ages = synthetic_faces(300, seed=3)

    assert faces.shape == (300, FACE_SIZE, FACE_SIZE)
    assert faces.dtype == np.uint8
    assert ages.shape == (300,)
    assert ages.dtype == np.int64
    assert ages.min() >= 1
    assert ages.max() <= 100
    assert len(np.unique(ages)) > 60


def test_a_smaller_count_is_a_prefix_of_a_larger_one() -> None:
    faces, ages = synthetic_faces(600, seed=1)

    fewer, fewer_ages = synthetic_faces(40, seed=1)

    np.testing.assert_array_equal(fewer, faces[:40])
    np.testing.assert_array_equal(fewer_ages, ages[:40])


@pytest.mark.parametrize(("start", "count"), [(0, 1), (511, 3), (13, 37), (599, 1)])
def test_any_range_can_be_made_on_its_own(start: int, count: int) -> None:
    faces, ages = synthetic_faces(600, seed=1)

    some, some_ages = synthetic_faces(count, seed=1, start=start)

    np.testing.assert_array_equal(some, faces[start : start + count])
    np.testing.assert_array_equal(some_ages, ages[start : start + count])


def test_faces_far_along_can_be_made_at_once() -> None:
    near, _ = synthetic_faces(2, seed=2**64 - 1, start=0)
    far, _ = synthetic_faces(2, seed=2**64 - 1, start=2**40)

    assert not np.array_equal(near, far)


def test_no_faces_are_an_empty_array() -> None:
    faces, ages = synthetic_faces(0, seed=1)

    assert faces.shape == (0, FACE_SIZE, FACE_SIZE)
    assert ages.shape == (0,)


def test_other_seeds_and_indices_are_other_people() -> None:
    first, _ = synthetic_faces(50, seed=1)
    second, _ = synthetic_faces(50, seed=2)

    everyone = np.concatenate([first, second]).reshape(100, -1)

    assert len(np.unique(everyone, axis=0)) == 100


def test_pictures_are_lit_and_varied_like_photographs() -> None:
    faces, _ = synthetic_faces(1000, seed=5)

    pixels = faces / 127.5 - 1

    assert abs(pixels.mean() - 0.05) < 0.05
    assert abs(pixels.std() - 0.45) < 0.05
    assert abs(pixels.mean((1, 2)).std() - 0.226) < 0.03


def test_age_can_be_read_off_the_pixels_but_not_trivially() -> None:
    faces, ages = synthetic_faces(2500, seed=7)
    pixels = faces.reshape(-1, 24, 2, 24, 2).mean((2, 4)).reshape(len(faces), -1) / 127.5 - 1
    x = np.concatenate([pixels, np.ones((len(faces), 1))], axis=1)

    train, held_out = slice(0, 2000), slice(2000, None)
    gram = x[train].T @ x[train] + 100 * np.eye(x.shape[1])
    weights = np.linalg.solve(gram, x[train].T @ (ages[train] - 50))
    error = np.abs(x[held_out] @ weights + 50 - ages[held_out]).mean()

    guessing = np.abs(50 - ages[held_out]).mean()
    assert 6 < error < 0.65 * guessing


@pytest.mark.parametrize(
    ("count", "seed", "start"), [(-1, 0, 0), (1, -1, 0), (1, 2**64, 0), (1, 0, -1), (2, 0, 2**64)]
)
def test_numbers_outside_their_range_are_refused(count: int, seed: int, start: int) -> None:
    with pytest.raises(ValueError, match="must be"):
        synthetic_faces(count, seed, start)
