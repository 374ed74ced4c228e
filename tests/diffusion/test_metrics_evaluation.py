"""A whole evaluation: its figures, its floors, and what it asks for."""

import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from diffusion.features import FeatureNetwork
from diffusion.metrics import evaluate_faces
from diffusion.train_features import initialize
from synthetic import synthetic_faces

Faces = NDArray[np.uint8]

N = 120


@pytest.fixture(scope="module")
def network() -> FeatureNetwork:
    network = FeatureNetwork(4)
    initialize(network, seed=0)
    return network


@pytest.fixture(scope="module")
def generated() -> Faces:
    return synthetic_faces(N, 2)[0]


@pytest.fixture(scope="module")
def reference() -> Faces:
    return synthetic_faces(2 * N, 3)[0]


def by_name(evaluation: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {figure["name"]: figure for figure in evaluation["figures"]}


def test_every_figure_has_value_error_floor_and_number_and_is_json(
    network: FeatureNetwork, generated: Faces, reference: Faces
) -> None:
    found = evaluate_faces(generated, reference, network, training=reference[:50])

    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["n"] == N
    figures = by_name(found)
    assert list(figures) == [
        *("frechet_distance", "kernel_distance", "precision", "recall"),
        *("brightness_ks", "contrast_ks", "spectrum_deviation_db"),
        *("pixel_copied_share", "pixel_nearer_share", "pixel_nearest_median"),
        *("feature_copied_share", "feature_nearer_share", "feature_nearest_median"),
    ]
    for figure in found["figures"]:
        assert set(figure) == {"name", "value", "standard_error", "floor", "n", "better"}
        assert figure["n"] == N
        assert figure["standard_error"] >= 0
    assert all(len(ratios) == 24 for ratios in found["spectrum_ratio"].values())


def test_faces_of_the_same_law_get_the_floor(
    network: FeatureNetwork, generated: Faces, reference: Faces
) -> None:
    figures = by_name(evaluate_faces(generated, reference, network))

    assert "pixel_copied_share" not in figures
    for name, figure in figures.items():
        assert abs(figure["value"] - figure["floor"]) < 4 * figure["standard_error"] + 1e-9, name


def test_damaged_faces_are_worse_than_the_floor_in_what_was_damaged(
    network: FeatureNetwork, generated: Faces, reference: Faces
) -> None:
    darker = by_name(evaluate_faces(generated // 3, reference, network))

    for name in ("frechet_distance", "kernel_distance", "brightness_ks", "contrast_ks"):
        assert darker[name]["value"] > 2 * darker[name]["floor"], name
    assert darker["recall"]["value"] < darker["recall"]["floor"]


def test_copies_of_training_faces_are_counted(
    network: FeatureNetwork, generated: Faces, reference: Faces
) -> None:
    training = synthetic_faces(300, 1)[0]
    copying = np.concatenate([training[:12, :, ::-1], generated[12:]])

    figures = by_name(evaluate_faces(copying, reference, network, training=training))

    for what in ("pixel", "feature"):
        assert figures[f"{what}_copied_share"]["value"] == pytest.approx(0.1)
        assert figures[f"{what}_copied_share"]["floor"] == 0
        assert figures[f"{what}_nearer_share"]["value"] >= 0.1
        assert figures[f"{what}_nearer_share"]["floor"] == 0.01


def test_the_same_arguments_give_the_same_figures_and_another_seed_others(
    network: FeatureNetwork, generated: Faces, reference: Faces
) -> None:
    first, again, other = (
        evaluate_faces(generated, reference, network, seed=seed) for seed in (5, 5, 6)
    )

    assert first == again
    assert first["figures"] != other["figures"]


def test_both_sides_have_as_many_faces_as_the_shorter_allows(
    network: FeatureNetwork, generated: Faces, reference: Faces
) -> None:
    assert evaluate_faces(generated[:110], reference, network)["n"] == 110
    assert evaluate_faces(generated, reference[:210], network)["n"] == 105


def test_the_callback_hears_a_rising_share_up_to_one(
    network: FeatureNetwork, generated: Faces, reference: Faces
) -> None:
    heard: list[float] = []

    evaluate_faces(generated, reference, network, training=reference[:50], callback=heard.append)

    assert heard == sorted(heard)
    assert heard[0] > 0
    assert heard[-1] == 1
    assert heard[-2] == pytest.approx(1, abs=0.05)
    assert len(heard) > 8


def test_too_few_faces_are_refused_with_the_least_number(
    network: FeatureNetwork, generated: Faces, reference: Faces
) -> None:
    with pytest.raises(ValueError, match=r"generated faces.*at least 100, not uint8 \(99,"):
        evaluate_faces(generated[:99], reference, network)
    with pytest.raises(ValueError, match=r"reference faces.*at least 200, not uint8 \(199,"):
        evaluate_faces(generated, reference[:199], network)
    with pytest.raises(ValueError, match=r"training faces.*at least 2"):
        evaluate_faces(generated, reference, network, training=reference[:1])
    with pytest.raises(ValueError, match="not float64"):
        evaluate_faces(generated / 2, reference, network)  # type: ignore[arg-type]
