"""What age guided faces show and how varied they stay: a row of a table for each setting."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from diffusion import FeatureNetwork
from diffusion.judge import AgeJudge
from diffusion.metrics.ages import diversity, judge_ages
from formats.faces import Faces

DIVERSITY = ("brightness_deviation", "fine_power", "feature_distance")


class GuidanceRow(NamedTuple):
    """What was measured of one setting.

    Attributes:
        name: of the setting.
        ages: as `judge_ages` tells them: mean judged age, its errors and the cues at each target.
        rank_correlation: of judged and target ages.
        mean_absolute_error: of judged ages, in years.
        cue_rank_correlations: of gray hair and wrinkles with the target ages.
        ratios: of brightness deviation, fine power and feature distance to unguided samples'.
    """

    name: str
    ages: Sequence[Mapping[str, Any]]
    rank_correlation: float | None
    mean_absolute_error: float
    cue_rank_correlations: Mapping[str, float | None]
    ratios: Mapping[str, float | None]


def measure_row(
    name: str,
    by_age: Mapping[float, Faces],
    unguided: Faces,
    judge: AgeJudge,
    network: FeatureNetwork,
) -> GuidanceRow:
    """Measure one setting.

    Args:
        name: of the setting.
        by_age: the guided faces of each target age in years, uint8 (n, 48, 48).
        unguided: samples of the same network, sampler and steps, uint8 (m, 48, 48), m at least 2.
        judge: in evaluation mode.
        network: whose features tell how far faces are apart.
    """
    images = np.concatenate(list(by_age.values()))
    targets = np.concatenate([np.full(len(faces), age) for age, faces in by_age.items()])
    told = judge_ages(images, targets, judge)
    varied = diversity(images, targets, unguided, network)
    return GuidanceRow(
        name,
        told["ages"],
        told["age_rank_correlation"],
        told["age_mean_absolute_error"],
        told["cue_rank_correlations"],
        {each: varied[each]["ratio"] for each in DIVERSITY},
    )


def head(row: GuidanceRow) -> list[str]:
    """The head of the table that `cells` fills, for the target ages of this row."""
    targets = [f"judged at {age['target']:g}" for age in row.ages]
    cues = [f"{name.replace('_', ' ')}, ρ" for name in row.cue_rank_correlations]
    ratios = [f"{name.replace('_', ' ')}, ratio" for name in row.ratios]
    return ["setting", *targets, "MAE, years", "ρ with target", *cues, *ratios]


def cells(row: GuidanceRow) -> list[str]:
    """The row as texts: means with their standard errors, then correlations and ratios."""
    judged = [
        f"{age['judged_mean']:.1f} ± {_text(age['judged_standard_error'], 1)}" for age in row.ages
    ]
    correlations = [row.rank_correlation, *row.cue_rank_correlations.values(), *row.ratios.values()]
    error = f"{row.mean_absolute_error:.1f}"
    return [row.name, *judged, error, *(_text(value, 2) for value in correlations)]


def _text(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
