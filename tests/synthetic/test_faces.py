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

    # Of 8,000 photographs cut round the face: 0.045, 0.452, 0.226 and 0.095.
    assert abs(pixels.mean() - 0.045) < 0.03
    assert abs(pixels.std() - 0.452) < 0.03
    assert abs(pixels.mean((1, 2)).std() - 0.226) < 0.03
    assert abs(pixels.std((1, 2)).std() - 0.095) < 0.02


def test_coarse_and_fine_detail_are_as_strong_as_in_photographs() -> None:
    faces, _ = synthetic_faces(600, seed=6)
    pixels = faces / 127.5 - 1
    waves = np.abs(np.fft.fft2(pixels - pixels.mean((1, 2), keepdims=True))) ** 2
    frequency = np.fft.fftfreq(FACE_SIZE, 1 / FACE_SIZE)
    radius = np.hypot(frequency[:, None], frequency).round()

    power = [np.log10(waves[:, radius == r].mean()) for r in (1, 2, 4, 8, 12, 18, 21)]

    # The same of 8,000 photographs cut round the face.
    assert power == pytest.approx([4.64, 4.0, 3.32, 2.53, 1.99, 1.37, 1.1], abs=0.2)


def test_nobody_is_his_own_mirror_image() -> None:
    faces, _ = synthetic_faces(300, seed=9)
    middle = faces[:, 10:38, 10:38].astype(float)

    difference = np.abs(middle - middle[:, :, ::-1]).mean((1, 2)) / middle.std((1, 2))

    assert difference.min() > 0.05
    assert np.abs(middle.mean(0) - middle.mean(0)[:, ::-1]).max() < 12  # but no side is usual


def test_faces_stand_where_photographs_have_them() -> None:
    faces, _ = synthetic_faces(800, seed=10)
    mean = faces.mean(0)

    eyes, cheeks, mouth = mean[11:15], mean[18:23], mean[30:34]

    for columns in (slice(10, 17), slice(31, 38)):  # an eye is darker than the cheek below it
        assert eyes[:, columns].mean() < cheeks[:, columns].mean() - 40
    assert mouth[:, 20:28].mean() < cheeks[:, 20:28].mean() - 20


def _on_a_24_grid(faces: np.ndarray) -> np.ndarray:
    pixels = faces.reshape(-1, 24, 2, 24, 2).mean((2, 4)).reshape(len(faces), -1) / 127.5 - 1
    return np.concatenate([pixels, np.ones((len(faces), 1))], axis=1)


def test_age_can_be_read_off_the_pixels_but_not_trivially() -> None:
    faces, ages = synthetic_faces(2500, seed=7)
    train, held_out = slice(0, 2000), slice(2000, None)
    x, years = _on_a_24_grid(faces), ages - 50.5

    gram, projected = x[train].T @ x[train], x[train].T @ years[train]
    errors = []
    for penalty in (30, 100, 300, 1000):
        weights = np.linalg.solve(gram + penalty * np.eye(len(gram)), projected)
        errors.append(np.abs(x[held_out] @ weights - years[held_out]).mean())

    guessing = np.abs(years[held_out]).mean()
    assert 9 < min(errors) < 0.7 * guessing


def test_no_pixel_gives_the_age_away() -> None:
    faces, ages = synthetic_faces(2000, seed=8)
    pixels = faces.reshape(2000, -1).astype(float)
    whole = np.stack([pixels.mean(1), pixels.std(1), *pixels.T])

    correlations = np.corrcoef(np.vstack([ages, whole]))[0, 1:]

    assert np.abs(correlations).max() < 0.6


@pytest.mark.parametrize(
    ("count", "seed", "start"), [(-1, 0, 0), (1, -1, 0), (1, 2**64, 0), (1, 0, -1), (2, 0, 2**64)]
)
def test_numbers_outside_their_range_are_refused(count: int, seed: int, start: int) -> None:
    with pytest.raises(ValueError, match="must be"):
        synthetic_faces(count, seed, start)
