"""Figures of faces at target ages: what age the judge sees, the cues, and how varied they are."""

from typing import Any

from diffusion.features import FeatureNetwork
from diffusion.metrics.ages import diversity, judge_ages
from formats.faces import Faces
from jobs.artifacts import ArtifactStore
from jobs.works import EvaluateWork
from worker.engine.stored_files import read_judge

NO_JUDGE = "left out: there is no judge of ages"


def guided_figures(
    artifacts: ArtifactStore,
    work: EvaluateWork,
    images: Faces,
    reference: Faces,
    network: FeatureNetwork,
) -> dict[str, Any]:
    """Figures of guided faces.

    Args:
        artifacts: where the judge lies.
        work: its job has the target age of each image.
        images: gray, uint8 (N, 48, 48).
        reference: faces of the dataset, uint8 (M, 48, 48), to be as varied as.
        network: whose features tell faces apart, on the device that judges too.

    Returns:
        `ages`, `age_rank_correlation`, `age_mean_absolute_error`, `cue_rank_correlations`, `judge`
        and `diversity`, see `diffusion.metrics.ages`; `figures`: the main ones as those of other
        evaluations. Without a judge, `ages` says so.

    Raises:
        ArtifactStoreError: the judge cannot be read, or is another file than is meant.
        FormatError: it is no judge.
    """
    assert work.job is not None
    targets = work.job.target_ages
    told: dict[str, Any] = {"ages": NO_JUDGE, "diversity": None}
    if work.judge is not None:
        judge, description = read_judge(artifacts, work.judge)
        told |= judge_ages(images, targets, judge.to(network.centre.device))
        held_out = description.metrics.get("mae_years")
        told["judge"] = {"sha256": work.judge.sha256, "held_out_mae": held_out}
    told["diversity"] = diversity(images, targets, reference, network)
    return told | {"figures": _main_figures(told, len(images))}


def _main_figures(told: dict[str, Any], n: int) -> list[dict[str, Any]]:
    """As `diffusion.metrics.evaluation.Figure`s; those that could not be taken are left out."""
    values: dict[str, tuple[float | None, str]] = {
        "age_rank_correlation": (told.get("age_rank_correlation"), "higher"),
        "age_mean_absolute_error": (told.get("age_mean_absolute_error"), "lower"),
    }
    for name, value in told.get("cue_rank_correlations", {}).items():
        values[f"{name}_rank_correlation"] = (value, "higher")
    for name, compared in told["diversity"].items():
        values[f"{name}_ratio"] = (compared["ratio"], "near 1")
    return [
        {"name": name, "value": value, "standard_error": None, "floor": None, "n": n}
        | {"better": better}
        for name, (value, better) in values.items()
        if value is not None
    ]
