"""What metrics.json says, for people: known figures are explained, new ones are shown too."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import floor, log10
from typing import Any

from formats.description import MAY_BE_LEARNT

TENTHS = 10
MAX_DECIMALS = 6

# Name in metrics.json → what it is called, and one sentence.
EXPLAINED: Mapping[str, tuple[str, str]] = {
    "frechet_distance": (
        "Fréchet distance",
        "How far apart the features of sampled and real faces lie, as two normal laws.",
    ),
    "kernel_distance": (
        "Kernel distance",
        "The same without normal laws, free of bias; chance can take it below 0.",
    ),
    "precision": ("Precision", "Share of sampled faces that lie where real ones do."),
    "recall": ("Recall", "Share of real faces that lie where sampled ones do: variety."),
    "brightness_ks": (
        "Brightness",
        "Largest gap between the distributions of the faces' mean gray (Kolmogorov–Smirnov).",
    ),
    "contrast_ks": (
        "Contrast",
        "The same gap for each face's spread of gray.",
    ),
    "spectrum_deviation_db": (
        "Sharpness (dB)",
        "How far the power at fine and coarse scales is off: blur and grain raise it.",
    ),
    "pixel_copied_share": (
        "Copies, by pixels",
        "Share of faces much nearer to one training face than to any other.",
    ),
    "feature_copied_share": (
        "Copies, by features",
        "The same, measured in what the feature network sees.",
    ),
    "pixel_nearer_share": (
        "Too near, by pixels",
        "Share of faces nearer to a training face than all but 1 % of real faces are.",
    ),
    "feature_nearer_share": ("Too near, by features", "The same in the network's features."),
    "pixel_nearest_median": (
        "Nearest training face, by pixels",
        "Median distance to the nearest training face.",
    ),
    "feature_nearest_median": (
        "Nearest training face, by features",
        "The same in the network's features.",
    ),
    "age_rank_correlation": (
        "Judged age and target",
        "Rank correlation of the age that the judge sees with the one that was asked for.",
    ),
    "age_mean_absolute_error": (
        "Error of the judged age (years)",
        "Mean distance of the age that the judge sees from the one that was asked for.",
    ),
    "gray_hair_rank_correlation": (
        "Gray hair and target",
        "Rank correlation of the share of light hair, read off the pixels, with the target age.",
    ),
    "wrinkles_rank_correlation": (
        "Wrinkles and target",
        "Rank correlation of the strength of dark lines, read off the pixels, with the target age.",
    ),
    "brightness_deviation_ratio": (
        "Variety of brightness",
        "Spread of mean gray among faces of one target age, by that of the dataset's faces.",
    ),
    "feature_distance_ratio": (
        "Variety of faces",
        "Mean distance of two faces of one target age in features, by the dataset's.",
    ),
    "fine_power_ratio": (
        "Fine detail",
        "Power of what is finer than a twelfth of the picture, by the dataset's.",
    ),
}
LOSS_PREFIX = "eps_loss_t_"  # of a checkpoint's loss in a band of t
SEAM_PREFIXES: Mapping[str, str] = {  # of a merge's figures at a timestep
    "seam_energy_t_": "Seam energy",
    "correlation_first_t_": "Likeness to the first",
    "correlation_second_t_": "Likeness to the second",
}
NOT_SHOWN = (  # which the page shows in another way, or which figures tell too
    *("curves", "kind", "params", "excluded_ages", "plain_seam_energy"),
    *("age_rank_correlation", "age_mean_absolute_error", "cue_rank_correlations", "diversity"),
    *("judge", "development", MAY_BE_LEARNT),
)
BY_TENTH: Mapping[str, str] = {
    "mae_by_tenth": "Mean absolute error (years)",
    "predict_mean_mae_by_tenth": "Always saying the mean age (years)",
    "mse_by_tenth": "Mean squared error (years²)",
}
NAMES: Mapping[str, str] = {
    "mae_low_noise": "Mean absolute error for t ≤ 100 (years)",
    "held_out_mae": "Held-out error while training (years)",
    "mean_age": "Mean age (years)",
    "loss": "Training loss",
    "held_out_loss": "Held-out loss",
}
PICTURES: Mapping[str, str] = {
    "development": "How its faces developed",
    "sheet": "100 faces at the end",
    "nearest-neighbours": "Each face beside the training faces nearest to it",
}


@dataclass(frozen=True)
class FigureRow:
    """One figure of an evaluation, as texts."""

    label: str
    explanation: str
    value: str
    floor: str
    n: str
    better: str


@dataclass(frozen=True)
class Metrics:
    """What metrics.json says.

    Attributes:
        figures: with their errors.
        by_tenth: lists of a value for each tenth of the timesteps.
        values: single ones.
        development: images that a network had seen when it drew each row of `development.png`.
    """

    figures: list[FigureRow]
    by_tenth: dict[str, list[float]]
    values: dict[str, Any]
    development: list[int]


def read_metrics(content: Mapping[str, Any]) -> Metrics:
    """Sort what is there by its form, so that what a newer worker tells is shown too."""
    development = content.get("development")
    content = _flat(content)
    rows = content.get("figures")
    return Metrics(
        figures=[_row(each) for each in rows or () if isinstance(each, dict) and "value" in each],
        by_tenth={
            BY_TENTH.get(name, words(name)): value
            for name, value in content.items()
            if _is_by_tenth(value)
        },
        values={
            NAMES.get(name, words(name)): value
            for name, value in content.items()
            if isinstance(value, str | int | float)
        },
        development=development.get("images_seen", []) if isinstance(development, dict) else [],
    )


def picture_label(name: str) -> str:
    """What a picture shows, by its file's name."""
    stem = name.partition(".")[0]
    return PICTURES.get(stem, words(stem))


def words(name: str) -> str:
    """`held_out_loss` → `Held out loss`."""
    text = name.replace("_", " ").replace("-", " ").strip()
    return text[:1].upper() + text[1:]


def _flat(content: Mapping[str, Any]) -> dict[str, Any]:
    """What stands one level deeper comes up, unless its name is taken."""
    shown = {name: value for name, value in content.items() if name not in NOT_SHOWN}
    plain = {name: value for name, value in shown.items() if not isinstance(value, dict)}
    inner: dict[str, Any] = {}
    for value in shown.values():
        if isinstance(value, dict):
            inner |= value
    return inner | plain


def _is_by_tenth(value: object) -> bool:
    return (
        isinstance(value, list)
        and len(value) == TENTHS
        and all(isinstance(each, int | float) for each in value)
    )


def _row(figure: Mapping[str, Any]) -> FigureRow:
    name = str(figure.get("name", ""))
    label, explanation = EXPLAINED.get(name, (words(name), ""))
    if name.startswith(LOSS_PREFIX):
        label = f"Loss for t = {words(name.removeprefix(LOSS_PREFIX))}"
        explanation = "Mean squared error of the predicted noise."
    for prefix, what in SEAM_PREFIXES.items():
        if name.startswith(prefix):
            label = f"{what} at t = {name.removeprefix(prefix)}"
    error = figure.get("standard_error")
    digits = decimals(error)
    value = _number(figure["value"], digits)
    return FigureRow(
        label=label,
        explanation=explanation,
        value=f"{value} ± {_number(error, digits)}" if error is not None else value,
        floor=_number(figure.get("floor"), digits),
        n=_number(figure.get("n"), 0),
        better=str(figure.get("better", "")),
    )


def decimals(error: object) -> int | None:
    """How many decimals a value with this standard error has: two digits of the error."""
    if not isinstance(error, int | float) or error <= 0:
        return None
    return min(max(1 - floor(log10(error)), 0), MAX_DECIMALS)


def _number(value: object, digits: int | None) -> str:
    if not isinstance(value, int | float):
        return "–"
    return f"{value:.4g}" if digits is None else f"{value:,.{digits}f}"
