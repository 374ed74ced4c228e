"""Marks of age read off the pixels: they follow what is drawn, and not the light."""

import numpy as np
import pytest

from diffusion.metrics.ages import rank_correlation
from diffusion.metrics.cues import CUES, gray_hair, wrinkles
from diffusion.train_judge import degraded
from formats.faces import Faces
from synthetic import synthetic_faces

N = 400


@pytest.fixture(scope="module")
def people() -> tuple[Faces, np.ndarray]:
    return synthetic_faces(N, 55)


def face(hair: int = 20, skin: int = 150) -> Faces:
    """A disk of skin with hair round it, on a wall as light as the skin, over black clothes."""
    picture = np.full((1, 48, 48), skin, np.uint8)
    down, right = np.mgrid[:48, :48] - 23.5
    round_the_head = (right / 19) ** 2 + (down / 25) ** 2
    picture[0, (round_the_head >= 1) & (down < -6)] = hair
    picture[0, 43:] = 10  # clothes
    return picture


def with_line(rows: slice, columns: slice) -> Faces:
    drawn = face(hair=150)
    drawn[0, rows, columns] = 100
    return drawn


def test_dark_hair_has_no_share_and_white_hair_all_of_it() -> None:
    assert gray_hair(face(hair=20)) == pytest.approx([0])
    assert gray_hair(face(hair=230)) == pytest.approx([1])


def test_the_share_is_that_of_the_place_which_is_light() -> None:
    half = face(hair=20)
    half[:, :, 24:][face(hair=20)[:, :, 24:] == 20] = 200

    assert gray_hair(half) == pytest.approx([0.5], abs=0.02)
    assert 0 < gray_hair(np.where(np.arange(48)[:, None] < 4, face(200), face(20)))[0] < 1


def test_hair_is_compared_with_the_skin_of_its_own_side() -> None:
    darker = face(hair=110).astype(float)
    darker[:, :, 24:] *= 0.5

    assert gray_hair(darker.astype(np.uint8)) == pytest.approx([1])


@pytest.mark.parametrize(
    ("rows", "columns"),
    [
        (slice(6, 7), slice(18, 30)),  # the forehead
        (slice(14, 15), slice(3, 8)),  # the corner of an eye
        (slice(20, 21), slice(9, 18)),  # under an eye
        (slice(24, 37), slice(12, 13)),  # a cheek
    ],
)
def test_a_dark_line_where_wrinkles_come_raises_their_strength(rows: slice, columns: slice) -> None:
    drawn = with_line(rows, columns)

    assert wrinkles(drawn) > wrinkles(face(hair=150)) + 0.005


def test_a_line_elsewhere_does_not() -> None:
    elsewhere = with_line(slice(40, 41), slice(18, 30))

    assert wrinkles(elsewhere) == pytest.approx(wrinkles(face(hair=150)), abs=1e-9)


@pytest.mark.parametrize("name", sorted(CUES))
def test_neither_light_nor_contrast_nor_the_mirror_moves_a_cue(name: str, people) -> None:
    dim = (people[0][:50].astype(int) // 2 + 30).astype(np.uint8)
    bright = dim + 70
    strong = 2 * (dim - 30)

    found = CUES[name](dim)

    assert CUES[name](bright) == pytest.approx(found, abs=1e-9)
    assert CUES[name](strong) == pytest.approx(found, abs=1e-9)
    assert CUES[name](dim[:, :, ::-1]) == pytest.approx(found, abs=1e-9)


@pytest.mark.parametrize(("name", "least"), [("gray_hair", 0.4), ("wrinkles", 0.5)])
@pytest.mark.parametrize("damage", [(0.0, 0.0), (0.5, 0.0), (0.0, 0.2)])
def test_cues_rank_with_age_in_soft_and_noisy_pictures_too(
    name: str, least: float, damage: tuple[float, float], people
) -> None:
    faces, ages = people

    found = rank_correlation(CUES[name](degraded(faces, *damage)), ages.astype(float))

    assert found is not None
    assert found > least


def test_a_picture_of_one_gray_level_has_cues_and_no_warning() -> None:
    plain = np.full((2, 48, 48), 128, np.uint8)

    assert wrinkles(plain) == pytest.approx([0, 0])
    assert gray_hair(plain) == pytest.approx([0, 0])


@pytest.mark.parametrize("cue", CUES.values())
def test_what_is_no_face_is_refused(cue) -> None:
    with pytest.raises(ValueError, match=r"N at least 1, not uint8 \(0, 48, 48\)"):
        cue(np.zeros((0, 48, 48), np.uint8))
