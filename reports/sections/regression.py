"""The section of a job that trains an age regressor, and the figures of one that was given."""

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Any

from formats.description import MAY_BE_LEARNT
from reports import formulas as f
from reports.charts import Axes, Line, line_chart, line_summary, thinned
from reports.contents import Block, Chart, Code, Heading, Paragraph, Table, Text
from reports.material import CheckpointFile, MadeJob, Points
from reports.sections.common import (
    TIMESTEPS,
    Context,
    fixed,
    headed,
    network_blocks,
    number,
    settings,
    took,
)

TENTHS = 10
MOST_POINTS = 150  # of a curve
CURVES: Mapping[str, str] = {
    "loss": "Training",
    "held_out_loss": "Held out",
    "held_out_mae": "Held out",
}


def regression_section(context: Context, job: MadeJob) -> list[Block]:
    """Model, loss, data, curves and errors of a regressor's training."""
    made = job.checkpoint("made")
    metrics = {**(made.metrics if made else {}), **job.metrics}
    return [
        headed(job, "An age regressor for noised faces"),
        *model_blocks(context),
        Heading("Training", 2),
        Paragraph(
            _start(job.params) + _augmentation(job.params) + _even_share(job.params) + took(job)
        ),
        *_excluded(metrics),
        *curve_blocks(job.curves or _curves(metrics), " (years²)"),
        *error_blocks(metrics),
        *network_blocks(context, job.checkpoint("checkpoint")),
        *network_blocks(context, job.checkpoint("initial")),
        *network_blocks(context, made),
        *settings(job, "the training"),
    ]


def given_regressor_blocks(context: Context, checkpoint: CheckpointFile | None) -> list[Block]:
    """The same of a regressor that no job of this report has trained."""
    if checkpoint is None or ("network", checkpoint.sha256) in context.shown:
        return network_blocks(context, checkpoint)
    return [
        Heading("The regressor", 2),
        *model_blocks(context),
        *_excluded(checkpoint.metrics),
        *curve_blocks(_curves(checkpoint.metrics), " (years²)"),
        *error_blocks(checkpoint.metrics),
        *network_blocks(context, checkpoint),
    ]


def model_blocks(context: Context) -> list[Block]:
    """What the regressor is, and what it minimises."""
    if not context.first_time("regressor"):
        return [Paragraph(f"Model and loss are those of {context.place_of('regressor')}.")]
    return [
        Paragraph(
            [
                "The regressor ",
                f.REGRESSOR,
                " tells the age ",
                f.Y,
                " of a face of which only the noised ",
                f.Z_T,
                " is known. It is the downward half of the noise predictor’s U-Net, with its time "
                "embedding and a head that gives one number: the mean of a Gaussian law of unit "
                "variance.",
            ]
        ),
        f.GAUSSIAN,
        Paragraph("The negative logarithm of the likelihood is therefore the squared error:"),
        f.LOSS,
        Paragraph(
            [
                "The network gives the age in hundreds of years. Each example is noised anew "
                "whenever it is shown, by the diffusion kernel with fresh noise, to a timestep of "
                "its own; small ones come more often the greater ",
                Code("timestep_power"),
                ", k, is, since there is more to learn:",
            ]
        ),
        f.DRAW_T,
        f.NOISED_I,
    ]


def _start(params: Mapping[str, Any]) -> str:
    if params.get("initial") is not None:
        return "It went on from the weights of another regressor, which know ages already."
    if params.get("start") == "scratch":
        return "The regressor’s downward half began with random weights."
    return (
        "The regressor’s downward half began with the noise predictor’s weights, which know noised "
        "faces already."
    )


def _augmentation(params: Mapping[str, Any]) -> str:
    shifts = params.get("shifts")
    told = []
    if params.get("horizontal_flips"):
        told.append("every other face is mirrored")
    if isinstance(shifts, int) and shifts:
        told.append(f"each is moved by up to {shifts} pixels both ways")
    return f" When faces are shown, {' and '.join(told)}." if told else ""


def _even_share(params: Mapping[str, Any]) -> str:
    share = params.get("low_noise_share")
    if not isinstance(share, float) or not share:
        return ""
    return f" Of {share:.0%} of the faces t is even over the first tenth of T."


def _excluded(metrics: Mapping[str, Any]) -> list[Block]:
    excluded = metrics.get("excluded_ages")
    if not isinstance(excluded, Mapping):
        return []
    missing, wrong = number(excluded.get("missing")), number(excluded.get("wrong"))
    return [
        Paragraph(
            [
                "Faces without a usable age were left out: ",
                f"{missing} with y < 0 (missing) and {wrong} with y > 100 (wrong).",
            ]
        )
    ]


def curve_blocks(curves: Mapping[str, Points], unit: str = "") -> list[Block]:
    """Charts of the losses, in this unit, and of the held-out error, where a job has them."""
    losses = _lines(curves, ("loss", "held_out_loss"))
    errors = _lines(curves, ("held_out_mae",))
    blocks: list[Block] = []
    if losses:
        caption = "The loss over the training: of the batches, and of faces that are held out."
        blocks.append(_chart(losses, Axes("Training step", f"Loss{unit}"), caption))
    if errors:
        caption = "The mean absolute error of held-out faces, at all timesteps alike."
        blocks.append(_chart(errors, Axes("Training step", "MAE (years)"), caption))
    return blocks


def _curves(metrics: Mapping[str, Any]) -> Mapping[str, Points]:
    """Curves as a checkpoint's metrics carry them; an imported one may carry anything."""
    curves = metrics.get("curves")
    if not isinstance(curves, Mapping):
        return {}
    return {name: points for name, points in curves.items() if _are_points(points)}


def _are_points(values: Any) -> bool:
    return isinstance(values, Sequence) and all(
        isinstance(each, Sequence) and [isinstance(it, int | float) for it in each] == [True, True]
        for each in values
    )


def _lines(curves: Mapping[str, Points], names: Sequence[str]) -> list[Line]:
    return [
        Line(CURVES[name], thinned(curves[name], MOST_POINTS)) for name in names if curves.get(name)
    ]


def _chart(lines: Sequence[Line], axes: Axes, caption: Text) -> Chart:
    words = "; ".join(line_summary(line) for line in lines)
    return Chart(line_chart(lines, axes), caption, f"Chart of {axes.y} over {axes.x}. {words}.")


def error_blocks(metrics: Mapping[str, Any]) -> list[Block]:
    """The held-out error by tenth of T, beside that of who always says the mean age."""
    errors = _tenths(metrics.get("mae_by_tenth"))
    if errors is None:
        return []
    of_mean = _tenths(metrics.get("predict_mean_mae_by_tenth"))
    squares = _tenths(metrics.get("mse_by_tenth"))
    blocks: list[Block] = [
        Heading("Error by timestep", 2),
        Paragraph(
            "The error of held-out faces grows with the noise, until nothing is left but the mean "
            "age. Whoever always says the mean age of the training faces has the error beside it. "
            + _low_noise(metrics)
            + _what_is_learnt(metrics)
        ),
        f.MAE,
        _error_table(errors, of_mean, squares),
    ]
    lines = [Line("Regressor", list(enumerate(errors)))]
    if of_mean is not None:
        lines.append(Line("Always the mean age", list(enumerate(of_mean))))
    labels = [(tenth, _band(tenth)) for tenth in range(TENTHS)]
    caption = "The same as a chart: mean absolute error in each tenth of the timesteps."
    return [*blocks, _chart(lines, Axes("Timestep t", "MAE (years)", labels), caption)]


def _low_noise(metrics: Mapping[str, Any]) -> str:
    low = metrics.get("mae_low_noise")
    return f"For t ≤ 100 it is {fixed(low, 2)} years." if isinstance(low, int | float) else ""


def _what_is_learnt(metrics: Mapping[str, Any]) -> str:
    if metrics.get(MAY_BE_LEARNT) is not True:
        return ""
    return (
        " The regressor that it went on from may have learnt from some of these faces: on new ones "
        "the error is larger."
    )


def _error_table(
    errors: Sequence[float], of_mean: Sequence[float] | None, squares: Sequence[float] | None
) -> Table:
    head: list[Text] = [f.t, "MAE"]
    columns = [[fixed(error, 2) for error in errors]]
    if of_mean is not None:
        head.append("MAE of the mean age")
        columns.append([fixed(error, 2) for error in of_mean])
    if squares is not None:
        head.append("Root of the MSE")
        columns.append([fixed(sqrt(max(0.0, square)), 2) for square in squares])
    rows = [(_band(tenth), *(column[tenth] for column in columns)) for tenth in range(TENTHS)]
    caption = "Held-out error in years, by tenth of the timesteps."
    return Table(caption, head, rows, is_numeric=True)


def _band(tenth: int) -> str:
    size = TIMESTEPS // TENTHS
    return f"{tenth * size + 1}–{(tenth + 1) * size}"


def _tenths(values: Any) -> Sequence[float] | None:
    """Ten numbers, or None."""
    if not isinstance(values, Sequence) or len(values) != TENTHS:
        return None
    return values if all(isinstance(value, int | float) for value in values) else None
