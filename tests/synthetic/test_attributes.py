"""What is known of the synthetic faces without drawing them."""

import numpy as np
import pytest

from synthetic import ATTRIBUTES, FACE_SIZE, synthetic_attributes, synthetic_faces


def test_attributes_are_finite_and_of_one_scale() -> None:
    table = synthetic_attributes(1000, seed=3)

    assert table.shape == (1000, len(ATTRIBUTES))
    assert table.dtype == np.float32
    assert np.isfinite(table).all()
    assert table.min() >= -1.5
    assert table.max() <= 1.5
    assert (table.std(0) > 0.04).all()


def test_any_range_of_attributes_can_be_read_on_its_own() -> None:
    table = synthetic_attributes(600, seed=1)

    np.testing.assert_array_equal(synthetic_attributes(40, seed=1), table[:40])
    np.testing.assert_array_equal(synthetic_attributes(9, seed=1, start=510), table[510:519])
    assert synthetic_attributes(0, seed=1).shape == (0, len(ATTRIBUTES))


def test_attributes_are_those_of_the_drawn_faces() -> None:
    faces, _ = synthetic_faces(700, seed=4, start=11)
    table = synthetic_attributes(700, seed=4, start=11)
    pixels = faces.reshape(700, -1) / 255
    halves = faces.astype(float).reshape(700, FACE_SIZE, 2, -1).mean((1, 3))

    def agreement(name: str, seen: np.ndarray) -> float:
        return float(np.corrcoef(table[:, ATTRIBUTES.index(name)], seen)[0, 1])

    assert agreement("brightness", pixels.mean(1)) > 0.8
    assert agreement("contrast", pixels.std(1)) > 0.7
    assert agreement("light_x", halves[:, 1] - halves[:, 0]) > 0.4


@pytest.mark.parametrize(("count", "seed", "start"), [(-1, 0, 0), (1, -1, 0), (1, 0, -1)])
def test_faces_that_do_not_exist_have_no_attributes(count: int, seed: int, start: int) -> None:
    with pytest.raises(ValueError, match="must be"):
        synthetic_attributes(count, seed, start)
