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
    assert len(set(ATTRIBUTES)) == len(ATTRIBUTES)


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


def test_blurred_faces_are_those_that_attributes_call_blurred() -> None:
    faces, _ = synthetic_faces(500, seed=6)
    blur = synthetic_attributes(500, seed=6)[:, ATTRIBUTES.index("blur")]
    pixels = faces / 255
    detail = np.abs(np.diff(pixels, axis=2)).mean((1, 2)) / pixels.std((1, 2))

    assert detail[blur > 0.6].mean() < 0.8 * detail[blur < 0.1].mean()


def test_attributes_go_with_the_ages_of_the_same_faces() -> None:
    _, ages = synthetic_faces(1500, seed=2)
    of = dict(zip(ATTRIBUTES, synthetic_attributes(1500, seed=2).T, strict=True))

    assert not of["beard"][(ages < 12) | (of["male"] == 0)].any()
    assert of["beard"][(ages > 20) & (of["male"] == 1)].mean() > 0.05
    assert of["glasses"][ages > 60].mean() > 2 * of["glasses"][ages < 20].mean()
    old, young = (
        of["hair_tone"][ages > 75].mean(),
        of["hair_tone"][(ages > 15) & (ages < 40)].mean(),
    )
    assert old > young + 0.15
    thin = of["thin_hair"]
    assert (
        thin[(ages > 70) & (of["male"] == 1)].mean() > thin[(ages > 20) & (ages < 40)].mean() + 0.2
    )


@pytest.mark.parametrize(("count", "seed", "start"), [(-1, 0, 0), (1, -1, 0), (1, 0, -1)])
def test_faces_that_do_not_exist_have_no_attributes(count: int, seed: int, start: int) -> None:
    with pytest.raises(ValueError, match="must be"):
        synthetic_attributes(count, seed, start)
