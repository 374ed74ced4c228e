import numpy as np
import pytest

from formats.errors import WrongDtypeError, WrongShapeError
from formats.figures import labelled_collage

FACES = np.random.default_rng(5).integers(1, 200, (6, 48, 48), np.uint8)
ROWS = ["t = 300", "t = 700"]
COLUMNS = ["x(1)", "x(2)", "merged"]


def places_of(figure: np.ndarray, face: np.ndarray) -> list[tuple[int, int]]:
    """Top left corners where this picture stands, pixel by pixel."""
    height, width = face.shape
    inside = figure[: 1 - height, : 1 - width]
    return [
        (top, left)
        for top, left in np.argwhere(inside == face[0, 0])
        if np.array_equal(figure[top : top + height, left : left + width], face)
    ]


def test_every_picture_stands_once_in_its_row_and_column() -> None:
    figure = np.asarray(labelled_collage(FACES, 3, ROWS, COLUMNS, "Merged faces"))

    places = []
    for face in FACES:
        (place,) = places_of(figure, face)
        places.append(place)
    tops, lefts = [top for top, _ in places], [left for _, left in places]
    assert tops[0] == tops[1] == tops[2] < tops[3] == tops[4] == tops[5]
    assert lefts[:3] == lefts[3:] == sorted(lefts[:3])
    assert tops[3] - tops[0] >= 48
    assert lefts[1] - lefts[0] >= 48


def test_words_stand_above_and_left_of_the_pictures_and_nowhere_else() -> None:
    figure = np.asarray(labelled_collage(FACES, 3, ROWS, COLUMNS, "Merged faces"))
    ((top, left),) = places_of(figure, FACES[0])
    ((last_top, last_left),) = places_of(figure, FACES[5])

    has_ink = figure < 128
    assert has_ink[: top - 18].any()  # the caption
    assert has_ink[top - 18 : top, left:].any()  # the names of the columns
    assert has_ink[top : top + 48, :left].any()
    assert has_ink[last_top : last_top + 48, :left].any()
    assert (figure[last_top + 48 :] == 255).all()
    assert (figure[top:, last_left + 48 :] == 255).all()


def test_a_long_title_is_broken_and_makes_the_figure_higher_not_wider() -> None:
    short = labelled_collage(FACES, 3, ROWS, COLUMNS, "Merged")
    long = labelled_collage(FACES, 3, ROWS, COLUMNS, "Merged faces of a long title " * 5)

    assert long.width == short.width
    assert long.height > short.height


def test_long_names_of_columns_move_the_pictures_apart() -> None:
    names = ["x(1)", "x(2)", "a much longer name"]

    figure = np.asarray(labelled_collage(FACES, 3, ROWS, names, "Merged"))

    ((_, first),) = places_of(figure, FACES[0])
    ((_, second),) = places_of(figure, FACES[1])
    assert second - first > 80


def test_groups_of_columns_stand_apart() -> None:
    figure = np.asarray(labelled_collage(FACES, 6, ["t = 1"], COLUMNS * 2, "Merged", group=3))

    lefts = [places_of(figure, face)[0][1] for face in FACES]
    steps = np.diff(lefts)
    assert steps[2] > steps[0] == steps[1] == steps[3] == steps[4]


def test_the_same_arguments_give_the_same_pixels() -> None:
    one, other = (np.asarray(labelled_collage(FACES[:5], 3, ROWS, [], "Five")) for _ in range(2))

    assert np.array_equal(one, other)


@pytest.mark.parametrize(
    ("images", "rows", "columns", "error"),
    [
        (FACES, ["t = 300"], COLUMNS, WrongShapeError),
        (FACES, ROWS, COLUMNS[:2], WrongShapeError),
        (FACES[0], ROWS, COLUMNS, WrongShapeError),
        (FACES.astype(float), ROWS, COLUMNS, WrongDtypeError),
    ],
)
def test_labels_and_pictures_that_do_not_fit_are_refused(
    images: np.ndarray, rows: list[str], columns: list[str], error: type[Exception]
) -> None:
    with pytest.raises(error):
        labelled_collage(images, 3, rows, columns, "Merged")
