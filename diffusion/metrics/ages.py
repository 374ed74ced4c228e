"""Figures of faces that were made to show an age: judged age, cues, and how varied they stay."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffusion.features import FeatureNetwork, check_faces, features
from diffusion.judge import AgeJudge, judged_ages
from diffusion.metrics.cues import CUES
from diffusion.metrics.estimate import Rows
from diffusion.metrics.pixels import BANDS, brightness, power_spectra

Faces = NDArray[np.uint8]

FINE_BAND = 12  # periods per picture, from which on power is fine: half of what pixels can show
MOST_PAIRED = 2000  # faces whose distances to each other are measured
_PAIR = 2  # faces, of which a spread can be taken


def judge_ages(
    images: Faces, targets: Sequence[float] | NDArray[np.float64], judge: AgeJudge
) -> dict[str, Any]:
    """What age guided faces show, as the judge sees it and as the cues tell.

    Args:
        images: gray, uint8 (N, 48, 48), N at least 1.
        targets: the age in years that each was guided to, (N,).
        judge: in evaluation mode.

    Returns:
        An object for JSON: `ages`, a list with an object for each target age (see
        docs/metrics.md), `age_rank_correlation`, `age_mean_absolute_error` and
        `cue_rank_correlations`. Errors of a single face and correlations of equal numbers are None.

    Raises:
        ValueError: images or targets are not as above.
    """
    check_faces(images, "guided faces")
    wanted = np.asarray(targets, np.float64)
    if wanted.shape != (len(images),):
        raise ValueError(f"targets must be ({len(images)},), an age a face, not {wanted.shape}")
    judged = judged_ages(judge, images)
    cues = {name: read(images) for name, read in CUES.items()}
    ages = [_of_age(age, wanted == age, judged, cues) for age in np.unique(wanted)]
    return {
        "ages": ages,
        "age_rank_correlation": rank_correlation(judged, wanted),
        "age_mean_absolute_error": float(np.abs(judged - wanted).mean()),
        "cue_rank_correlations": {
            name: rank_correlation(values, wanted) for name, values in cues.items()
        },
    }


def _of_age(
    age: float, is_meant: NDArray[np.bool_], judged: Rows, cues: Mapping[str, Rows]
) -> dict[str, Any]:
    own = judged[is_meant]
    told: dict[str, Any] = {
        "target": float(age),
        "n": len(own),
        "judged_mean": float(own.mean()),
        "judged_standard_error": _standard_error(own),
        "mean_error": float(own.mean() - age),
        "mean_absolute_error": float(np.abs(own - age).mean()),
        "spread": float(own.std(ddof=1)) if len(own) >= _PAIR else None,
    }
    for name, values in cues.items():
        told[name] = float(values[is_meant].mean())
        told[f"{name}_standard_error"] = _standard_error(values[is_meant])
    return told


def _standard_error(values: Rows) -> float | None:
    if len(values) < _PAIR:
        return None
    return float(values.std(ddof=1) / np.sqrt(len(values)))


def rank_correlation(a: Rows, b: Rows) -> float | None:
    """Spearman's rank correlation; equal numbers share the mean of their ranks.

    Source: Spearman 1904, The proof and measurement of association between two things.

    Args:
        a: (N,).
        b: (N,).

    Returns:
        Within -1 and 1; None where all numbers of a or of b are equal.

    Raises:
        ValueError: the lengths differ.
    """
    if a.ndim != 1 or a.shape != b.shape:
        raise ValueError(f"both must be (N,), not {a.shape} and {b.shape}")
    first, second = (_ranks(values) for values in (a, b))
    first, second = first - first.mean(), second - second.mean()
    size = float(np.sqrt((first @ first) * (second @ second)))
    return float(first @ second) / size if size else None


def _ranks(values: Rows) -> Rows:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: Rows = (last - (counts - 1) / 2)[place.ravel()]
    return ranks


def diversity(
    images: Faces,
    groups: Sequence[float] | NDArray[np.float64] | None,
    reference: Faces,
    network: FeatureNetwork,
) -> dict[str, dict[str, float | None]]:
    """How varied faces are beside others: unguided samples, or real faces.

    Guidance can pay for the right age with faces that are all alike, or without detail. Brightness
    and distance are taken among the faces of one group, and groups weigh by their pairs: faces of
    several ages differ by their age already.

    Args:
        images: gray, uint8 (N, 48, 48), N at least 1.
        groups: the target age of each, (N,); None: all are one group.
        reference: the others, one group, uint8 (M, 48, 48), M at least 2.
        network: whose features tell how far two faces are apart.

    Returns:
        `brightness_deviation` (standard deviation of the mean gray level), `feature_distance` (mean
        distance of two faces) and `fine_power` (mean power at 12 to 24 periods per picture, in
        squared gray levels), each an object with `value`, `reference` and `ratio`. None where no
        group has two faces, or the reference's is 0.

    Raises:
        ValueError: faces or groups are not as above.
    """
    check_faces(images, "faces")
    check_faces(reference, "reference faces", _PAIR)
    names = np.zeros(len(images)) if groups is None else np.asarray(groups, np.float64)
    if names.shape != (len(images),):
        raise ValueError(f"groups must be ({len(images)},), a name a face, not {names.shape}")
    one = np.zeros(len(reference))
    rows, others = features(network, images), features(network, reference)
    found = {
        "brightness_deviation": (
            _deviation_within(brightness(images), names),
            _deviation_within(brightness(reference), one),
        ),
        "feature_distance": (_distance_within(rows, names), _distance_within(others, one)),
        "fine_power": (_fine_power(images), _fine_power(reference)),
    }
    return {name: _compared(*values) for name, values in found.items()}


def _compared(value: float | None, reference: float | None) -> dict[str, float | None]:
    ratio = None if value is None or not reference else value / reference
    return {"value": value, "reference": reference, "ratio": ratio}


def _deviation_within(values: Rows, groups: Rows) -> float | None:
    parts = [values[groups == group] for group in np.unique(groups)]
    free = sum(len(part) - 1 for part in parts)
    squares = sum(float(np.square(part - part.mean()).sum()) for part in parts)
    return float(np.sqrt(squares / free)) if free else None


def _distance_within(rows: Rows, groups: Rows) -> float | None:
    total, pairs = 0.0, 0
    for group in np.unique(groups):
        part = rows[groups == group][:MOST_PAIRED]
        squared = np.square(part).sum(1)
        apart = np.maximum(squared[:, None] + squared - 2 * (part @ part.T), 0)
        np.fill_diagonal(apart, 0)  # not rounding's remainder
        total += float(np.sqrt(apart).sum())
        pairs += len(part) * (len(part) - 1)
    return total / pairs if pairs else None


def _fine_power(faces: Faces) -> float:
    return float(power_spectra(faces)[:, FINE_BAND - 1 : BANDS].mean())
