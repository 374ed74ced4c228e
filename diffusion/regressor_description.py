"""What a regressor's checkpoint says of its training, and how far off it is at each t."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from diffusion.held_out import may_have_learnt
from diffusion.regressor_training import HeldOutErrors, RegressorTraining, StartNetwork
from diffusion.training_data import TENTHS
from diffusion.training_description import training_facts
from formats.age_regressor import SQUARED_ERRORS
from formats.architectures import AGE_REGRESSOR
from formats.description import MAY_BE_LEARNT, CheckpointDescription

TWENTIETHS = 20


def describe_regressor(
    training: RegressorTraining,
    predictor: StartNetwork,
    dataset: str,
    held_out: Sequence[HeldOutErrors] = (),
    told: Mapping[str, Any] | None = None,
) -> CheckpointDescription:
    """Describe the best weights of a training.

    Args:
        training: at any step.
        predictor: what it was made for, or went on from.
        dataset: name of the faces, for people; their hash is added.
        held_out: its `held_out_errors`, at the end of the training.
        told: more to say about the training, JSON values.

    Returns:
        A description whose `metrics` hold `regressor_metrics` and the curves, and
        `held_out_may_be_learnt` where that is so.
    """
    curves = {name: _rounded(points) for name, points in training.curves().items()}
    newest = {name: points[-1][1] for name, points in curves.items() if points}
    start = predictor.description  # of a noise predictor, which knows no ages, nothing is feared
    goes_on = start.architecture == AGE_REGRESSOR.name and training.initial_sha256 is not None
    seed = training.options.seed
    may_be_learnt = goes_on and may_have_learnt(start, dataset, training.faces, seed)
    return replace(
        start,
        architecture=AGE_REGRESSOR.name,
        width=training.options.width,
        dataset=f"{dataset}, sha256 {training.faces.sha256}",
        training={
            **training_facts(training, training.faces),
            "excluded_ages": {"missing": training.faces.missing, "wrong": training.faces.wrong},
            "initial_sha256": training.initial_sha256,
            **(told or {}),
        },
        metrics={
            **newest,
            **regressor_metrics(training, held_out),
            **({MAY_BE_LEARNT: True} if may_be_learnt else {}),
            "curves": curves,
        },
        source="trained by darkroom; the averaged weights of the best measurement",
    )


def regressor_metrics(
    training: RegressorTraining, held_out: Sequence[HeldOutErrors]
) -> dict[str, Any]:
    """How far off it is on held-out faces, by tenth of T, beside always saying the mean age.

    Args:
        training: that made it.
        held_out: its `held_out_errors`, all tenths, or none.

    Returns:
        `mae_by_tenth` and `predict_mean_mae_by_tenth` in years, `mse_by_tenth` and the finer
        `mse_by_twentieth` in years², `mae_low_noise` of t up to T / 10; counts of faces.
    """
    excluded = {"missing": training.faces.missing, "wrong": training.faces.wrong}
    metrics: dict[str, Any] = {
        "faces_held_out": training.faces.held_out,
        "excluded_ages": excluded,
        "mean_age": round(training.faces.mean_age, 3),
    }
    if not held_out:
        return metrics
    mae = [round(float(np.abs(each.years).mean()), 3) for each in held_out]
    mean = round(training.faces.predict_mean_error(), 3)
    return metrics | {
        "mae_low_noise": mae[0],
        "mae_by_tenth": mae,
        "predict_mean_mae_by_tenth": [mean] * TENTHS,
        "mse_by_tenth": [round(float(np.square(each.years).mean()), 2) for each in held_out],
        SQUARED_ERRORS: _by_twentieth(held_out, len(training.betas)),
    }


def _by_twentieth(held_out: Sequence[HeldOutErrors], timesteps: int) -> list[float]:
    t = np.concatenate([each.t for each in held_out])
    squares = np.square(np.concatenate([each.years for each in held_out]))
    part = t * TWENTIETHS // timesteps
    sums = np.bincount(part, squares, TWENTIETHS)
    counts = np.bincount(part, minlength=TWENTIETHS)
    overall = squares.mean()  # of a part that no face fell into: few faces, or few timesteps
    means = np.where(counts > 0, sums / np.maximum(counts, 1), overall)
    return [round(float(value), 2) for value in means]


def _rounded(points: Sequence[Sequence[float]]) -> list[list[float]]:
    return [[point[0], round(point[1], 4)] for point in points]
