"""Copies of training faces are found, also mirrored, and nothing else is called one."""

import numpy as np
import pytest
from numpy.typing import NDArray

from diffusion.features import FeatureNetwork
from diffusion.metrics import nearest_neighbour_sheet, nearest_neighbours
from diffusion.metrics.neighbours import flat_pixels, nearest_rows
from diffusion.train_features import initialize
from synthetic import synthetic_faces

Faces = NDArray[np.uint8]


@pytest.fixture(scope="module")
def training() -> Faces:
    return synthetic_faces(700, 1)[0]


@pytest.fixture(scope="module")
def unseen() -> Faces:
    return synthetic_faces(60, 2)[0]


def test_the_nearest_are_those_of_the_definition(training: Faces, unseen: Faces) -> None:
    found = nearest_neighbours(unseen, training)

    known = training.astype(np.float64)
    for row, face in enumerate(unseen.astype(np.float64)):
        as_is = np.sqrt(((known - face) ** 2).mean((1, 2)))
        in_mirror = np.sqrt(((known - face[:, ::-1]) ** 2).mean((1, 2)))
        distances = np.minimum(as_is, in_mirror)
        order = np.argsort(distances)[:2]
        assert found.indices[row].tolist() == order.tolist()
        assert found.distances[row] == pytest.approx(distances[order], rel=1e-6)
        assert found.is_mirrored[row].tolist() == (in_mirror < as_is)[order].tolist()


def test_blocks_do_not_show(training: Faces) -> None:
    rows = flat_pixels(training)

    found = nearest_rows(rows[:600], rows[:600], rows[600:])
    last = nearest_rows(rows[599:600], rows[599:600], rows[600:])

    assert found.indices.shape == (600, 2)
    assert found.indices[599].tolist() == last.indices[0].tolist()


@pytest.mark.parametrize("by_features", [False, True])
def test_copies_are_found_also_mirrored_and_noisy(
    training: Faces, unseen: Faces, by_features: bool
) -> None:
    network = None
    if by_features:
        network = FeatureNetwork(4)
        initialize(network, seed=0)
    noise = np.random.default_rng(0).integers(-2, 3, size=(10, 48, 48))
    noisy = np.clip(training[20:30] + noise, 0, 255).astype(np.uint8)
    copies = np.concatenate([training[:10], training[10:20, :, ::-1], noisy])

    found = nearest_neighbours(np.concatenate([copies, unseen]), training, network)

    assert found.indices[:30, 0].tolist() == list(range(30))
    assert found.is_mirrored[:20, 0].tolist() == 10 * [False] + 10 * [True]
    assert found.distances[:20, 0] == pytest.approx(0, abs=1e-4)
    assert (found.ratios[:30] < 1 / 3).all()
    assert (found.ratios[30:] > 1 / 3).all()
    assert found.copied_share == pytest.approx(30 / 90)


def test_a_face_and_its_own_mirror_image_are_not_two_neighbours(training: Faces) -> None:
    symmetric = (training[0].astype(int) + training[0, :, ::-1]) // 2
    known = np.concatenate([symmetric.astype(np.uint8)[None], training[1:]])

    found = nearest_neighbours(known[:1], known)

    assert found.indices[0, 0] == 0 != found.indices[0, 1]
    assert found.ratios[0] == 0


def test_a_training_face_kept_twice_is_no_reason_to_divide_by_zero(training: Faces) -> None:
    found = nearest_neighbours(training[:1], np.concatenate([training[:1], training]))

    assert found.distances[0].tolist() == [0, 0]
    assert found.ratios.tolist() == [1]


def test_the_sheet_shows_the_most_suspicious_faces_first(training: Faces, unseen: Faces) -> None:
    generated = np.concatenate([unseen[:20], training[5:6, :, ::-1]])

    sheet = np.array(nearest_neighbour_sheet(generated, training, rows=4))

    assert sheet.shape == (4 * 48, 3 * 48)
    assert np.array_equal(sheet[:48, :48], training[5, :, ::-1])
    assert np.array_equal(sheet[:48, 48:96], training[5, :, ::-1])  # as it was compared
    ratios = nearest_neighbours(generated, training).ratios
    second = generated[np.argsort(ratios)[1]]
    assert np.array_equal(sheet[48:96, :48], second)
    assert nearest_neighbour_sheet(unseen[:2], training).size == (144, 96)


def test_wrong_arguments_are_refused(training: Faces, unseen: Faces) -> None:
    rows = flat_pixels(unseen)

    with pytest.raises(ValueError, match="at least 2 rows"):
        nearest_neighbours(unseen, training[:1])
    with pytest.raises(ValueError, match=r"must be \(n, 7\)"):
        nearest_rows(rows, rows, rows[:, :7])
    with pytest.raises(ValueError, match="mirror images"):
        nearest_rows(rows, rows[:3], rows)
    with pytest.raises(ValueError, match="rows must be at least 1, not 0"):
        nearest_neighbour_sheet(unseen, training, rows=0)
    with pytest.raises(ValueError, match="not float64"):
        nearest_neighbours(unseen / 2, training)  # type: ignore[arg-type]
