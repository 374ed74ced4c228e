"""Figures of guided faces: by hand, and by a published example."""

import numpy as np
import pytest
import torch

from diffusion import FeatureNetwork
from diffusion.features import features
from diffusion.judge import AgeJudge, judged_ages
from diffusion.metrics.ages import diversity, judge_ages, rank_correlation
from diffusion.metrics.cues import gray_hair
from formats.faces import Faces
from synthetic import synthetic_faces


@pytest.fixture(scope="module")
def faces() -> Faces:
    return synthetic_faces(24, 5)[0]


@pytest.fixture(scope="module")
def judge() -> AgeJudge:
    torch.manual_seed(0)
    return AgeJudge(2).eval()


@pytest.fixture(scope="module")
def network() -> FeatureNetwork:
    torch.manual_seed(0)
    return FeatureNetwork(2).eval()


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    """By counting: an element's rank is the number below it and half of its equals."""
    ranks = [(x[:, None] > x).sum(1) + ((x[:, None] == x).sum(1) + 1) / 2 for x in (a, b)]
    return float(np.corrcoef(*ranks)[0, 1])


def test_rank_correlation_without_ties_is_the_textbooks() -> None:
    quotient = np.array([106, 100, 86, 101, 99, 103, 97, 113, 112, 110.0])
    hours = np.array([7, 27, 2, 50, 28, 29, 20, 12, 6, 17.0])

    assert rank_correlation(quotient, hours) == pytest.approx(-29 / 165)


@pytest.mark.parametrize("seed", range(3))
def test_equal_numbers_share_their_ranks(seed: int) -> None:
    generator = np.random.default_rng(seed)
    a, b = generator.integers(0, 6, 40).astype(float), generator.normal(size=40)

    assert rank_correlation(a, b) == pytest.approx(spearman(a, b))
    assert rank_correlation(a, a + 3) == pytest.approx(1)
    assert rank_correlation(a, np.exp(-a)) == pytest.approx(-1)


def test_equal_numbers_have_no_rank_correlation() -> None:
    assert rank_correlation(np.ones(4), np.arange(4.0)) is None
    with pytest.raises(ValueError, match=r"both must be \(N,\), not \(4,\) and \(3,\)"):
        rank_correlation(np.ones(4), np.ones(3))


def test_each_target_age_has_its_own_figures(faces: Faces, judge: AgeJudge) -> None:
    targets = np.repeat([18.0, 80.0, 40.0], 8)

    told = judge_ages(faces, targets, judge)

    judged = judged_ages(judge, faces)
    assert [each["target"] for each in told["ages"]] == [18, 40, 80]
    young, middle, _ = told["ages"]
    assert (young["n"], middle["n"]) == (8, 8)
    assert young["judged_mean"] == pytest.approx(judged[:8].mean())
    assert young["judged_standard_error"] == pytest.approx(judged[:8].std(ddof=1) / np.sqrt(8))
    assert young["mean_error"] == pytest.approx((judged[:8] - 18).mean())
    assert middle["mean_absolute_error"] == pytest.approx(np.abs(judged[16:] - 40).mean())
    assert middle["spread"] == pytest.approx(judged[16:].std(ddof=1))
    assert young["gray_hair"] == pytest.approx(gray_hair(faces[:8]).mean())
    assert told["age_rank_correlation"] == pytest.approx(spearman(judged, targets))
    assert told["age_mean_absolute_error"] == pytest.approx(np.abs(judged - targets).mean())
    assert set(told["cue_rank_correlations"]) == {"gray_hair", "wrinkles"}


def test_one_face_has_no_error_and_one_age_no_correlation(faces: Faces, judge: AgeJudge) -> None:
    told = judge_ages(faces[:1], [40], judge)

    (only,) = told["ages"]
    assert (only["judged_standard_error"], only["spread"]) == (None, None)
    assert (told["age_rank_correlation"], told["cue_rank_correlations"]["wrinkles"]) == (None, None)


def test_real_faces_are_as_varied_as_themselves(faces: Faces, network: FeatureNetwork) -> None:
    told = diversity(faces, None, faces, network)

    assert {name: each["ratio"] for name, each in told.items()} == {
        "brightness_deviation": pytest.approx(1),
        "feature_distance": pytest.approx(1),
        "fine_power": pytest.approx(1),
    }


def test_variety_is_that_within_the_groups(faces: Faces, network: FeatureNetwork) -> None:
    copies = np.repeat(faces[:4], 3, axis=0)

    alike = diversity(copies, np.repeat(np.arange(4), 3), faces, network)
    mixed = diversity(copies, np.tile(np.arange(3), 4), faces, network)

    assert alike["brightness_deviation"]["value"] == pytest.approx(0)
    assert alike["feature_distance"]["ratio"] == pytest.approx(0, abs=1e-6)
    rows = features(network, faces[:4])
    apart = np.linalg.norm(rows[:, None] - rows, axis=2).sum() / 12
    assert mixed["feature_distance"]["value"] == pytest.approx(apart, rel=1e-4)
    brightness = faces[:4].mean((1, 2)).std(ddof=1)
    assert mixed["brightness_deviation"]["value"] == pytest.approx(brightness)


def test_soft_faces_lack_fine_power(faces: Faces, network: FeatureNetwork) -> None:
    softer = (faces // 2 + np.roll(faces, 1, axis=2) // 2).astype(np.uint8)

    assert diversity(softer, None, faces, network)["fine_power"]["ratio"] < 0.9


def test_single_faces_have_no_variety(faces: Faces, network: FeatureNetwork) -> None:
    told = diversity(faces[:3], [18, 40, 60], faces, network)

    assert told["feature_distance"]["ratio"] is told["brightness_deviation"]["ratio"] is None
    assert told["fine_power"]["ratio"] is not None


def test_wrong_lengths_are_refused(faces: Faces, judge: AgeJudge, network: FeatureNetwork) -> None:
    with pytest.raises(ValueError, match=r"targets must be \(24,\), an age a face, not \(2,\)"):
        judge_ages(faces, [18, 40], judge)
    with pytest.raises(ValueError, match=r"groups must be \(24,\), a name a face, not \(2,\)"):
        diversity(faces, [18, 40], faces, network)
    with pytest.raises(ValueError, match=r"reference faces must be .* N at least 2"):
        diversity(faces, None, faces[:1], network)
