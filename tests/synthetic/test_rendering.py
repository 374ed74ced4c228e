"""Rendering by several processes: the same faces, however they are shared out."""

import numpy as np
import pytest

from synthetic import FACE_SIZE, render_faces, synthetic_faces

COUNT, PART = 25, 10  # parts of 10, 10 and 5 faces


def test_two_processes_render_what_one_renders() -> None:
    faces, ages = render_faces(COUNT, seed=3, processes=2, part=PART)

    expected, expected_ages = synthetic_faces(COUNT, seed=3)
    np.testing.assert_array_equal(faces, expected)
    np.testing.assert_array_equal(ages, expected_ages)
    assert (faces.dtype, ages.dtype) == (expected.dtype, expected_ages.dtype)


@pytest.mark.parametrize(("count", "processes"), [(COUNT, 1), (PART, 2), (0, 2)])
def test_one_process_or_one_part_is_rendered_here(
    monkeypatch: pytest.MonkeyPatch, count: int, processes: int
) -> None:
    def start(*_: object) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr("synthetic.rendering.ProcessPoolExecutor", start)

    faces, ages = render_faces(count, seed=3, processes=processes, part=PART)

    np.testing.assert_array_equal(faces, synthetic_faces(count, seed=3)[0])
    assert (faces.shape, ages.shape) == ((count, FACE_SIZE, FACE_SIZE), (count,))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"processes": 0}, "processes must be at least 1, not 0"),
        ({"part": 0}, "part must be at least 1, not 0"),
        ({"count": -1}, "count and start must be at least 0 and end within .* not -1 and 0"),
        ({"seed": -1}, "seed must be within 0 and .* not -1"),
    ],
)
def test_arguments_outside_their_ranges_are_refused(wrong: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        render_faces(**{"count": COUNT, "seed": 3, "processes": 2} | wrong)
