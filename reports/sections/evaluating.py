"""The section of a job that measures another, or a checkpoint."""

from collections.abc import Mapping, Sequence
from typing import Any

from reports.contents import Block, Heading, Paragraph, Table, Text
from reports.material import MadeJob
from reports.sections.common import (
    NOT_SET,
    Context,
    fixed,
    headed,
    network_blocks,
    number,
    settings,
    took,
    whole_picture,
)

FIGURES: Mapping[str, str] = {
    "frechet_distance": "Fréchet distance of features",
    "kernel_distance": "Kernel distance of features",
    "precision": "Precision: sampled faces among real ones",
    "recall": "Recall: real faces among sampled ones",
    "brightness_ks": "Brightness: largest gap of the distributions",
    "contrast_ks": "Contrast: largest gap of the distributions",
    "spectrum_deviation_db": "Sharpness: deviation of the spectrum (dB)",
    "pixel_copied_share": "Copies of training faces, by pixels (share)",
    "feature_copied_share": "Copies of training faces, by features (share)",
    "pixel_nearer_share": "Too near to a training face, by pixels (share)",
    "feature_nearer_share": "Too near to a training face, by features (share)",
    "pixel_nearest_median": "Distance to the nearest training face, by pixels",
    "feature_nearest_median": "Distance to the nearest training face, by features",
}
AGE_COLUMNS: Mapping[str, str] = {
    "target": "Target age",
    "judged_mean": "Judged age",
    "mean_error": "Mean error",
    "spread": "Spread",
    "gray_hair": "Gray hair",
    "wrinkles": "Wrinkles",
    "n": "Faces",
}
STANDARD_ERRORS: Mapping[str, str] = {
    "judged_mean": "judged_standard_error",
    "gray_hair": "gray_hair_standard_error",
    "wrinkles": "wrinkles_standard_error",
}
IN_YEARS = ("judged_mean", "mean_error", "spread")
MERGE_COLUMNS: Mapping[str, str] = {
    "t": "Timestep",
    "seam_energy": "Seam energy",
    "seam_energy_error": "Error",
    "correlation_first": "Likeness to the first",
    "correlation_second": "To the second",
    "n": "Faces",
}
MOST_COLUMNS = 7
EVALUATED: Mapping[str, str] = {
    "sample": "Evaluation of the sampled faces",
    "merge": "Evaluation of the merged faces",
    "guided_sample": "Evaluation of the faces at target ages",
}
ALONE = (
    "loss",
    "n",
    "seed",
    "images",
    "searched_faces",
    "plain_faces",
)  # numbers that are said elsewhere


def evaluating_section(context: Context, job: MadeJob) -> list[Block]:
    """Figures, tables and the nearest neighbours of an evaluation."""
    evaluated = {each.id: each for each in context.material.jobs}.get(str(job.params.get("job")))
    title = EVALUATED.get(evaluated.kind, "Evaluation") if evaluated else "Evaluation"
    caption = (
        "Each row shows a face of the job, left, and beside it the training faces nearest to it. "
        "Copies would look alike."
    )
    return [
        headed(job, title),
        *_subject(job),
        *_ages(job.metrics),
        *_merges(job.metrics),
        *_figures(job.metrics),
        *_others(job.metrics),
        *whole_picture(job, "figure", caption, "Faces, each beside its nearest training faces."),
        *(block for each in job.checkpoints for block in network_blocks(context, each)),
        *settings(job, "the evaluation"),
    ]


def _subject(job: MadeJob) -> list[Block]:
    dataset = job.metrics.get("dataset")
    beside = f", beside {dataset}" if dataset else ""
    if job.params.get("checkpoint") is not None:
        text = "The noise predictor’s squared error of the noise, by tenth of the timesteps"
        return [Paragraph(f"{text}{beside}.{took(job)}")]
    images = number(job.metrics.get("images"))
    return [Paragraph(f"{images} faces were measured{beside}.{took(job)}")]


def _ages(metrics: Mapping[str, Any]) -> list[Block]:
    rows = _rows(metrics.get("ages"))
    if not rows:
        return []
    caption = (
        "Target ages and the ages that an independent judge sees: a regressor of clean faces that "
        "took no part in the guidance. Ages in years, means with their standard errors; gray hair "
        "is the share of light hair and wrinkles the strength of dark lines, both read off the "
        "pixels."
    ) + _judge_error(metrics.get("judge"))
    cells = [[_cell(key, _with_error(row, key)) for key in AGE_COLUMNS] for row in rows]
    table = Table(caption, list(AGE_COLUMNS.values()), cells, is_numeric=True)
    return [Heading("Judged ages", 2), table]


def _judge_error(judge: Any) -> str:
    error = fixed(judge.get("held_out_mae") if isinstance(judge, Mapping) else None, 1)
    if error == NOT_SET:
        return ""
    return f" Of faces that it did not learn from, the judge errs by {error} years on average."


def _with_error(row: Mapping[str, Any], key: str) -> Any:
    if key not in STANDARD_ERRORS:
        return row.get(key)
    return {"value": row.get(key), "error": row.get(STANDARD_ERRORS[key])}


def _merges(metrics: Mapping[str, Any]) -> list[Block]:
    rows = _rows(metrics.get("merge"))
    if not rows:
        return []
    caption = (
        "Merged faces by timestep: how visible the seam is, and how much each half is still like "
        "the face that it comes from (correlation of pixels, at most 1). Means over the pairs, "
        "each with its standard error."
    )
    plain = _cell("seam_energy", metrics.get("plain_seam_energy"))
    if plain != NOT_SET:
        faces = number(metrics.get("plain_faces"))
        caption += f" Of {faces} faces that were never merged the seam energy is {plain}."
    return [Heading("Seam and likeness", 2), _row_table(rows, MERGE_COLUMNS, caption)]


def _rows(values: Any) -> Sequence[Mapping[str, Any]]:
    """A list of objects; what is none has no rows."""
    if not isinstance(values, Sequence) or isinstance(values, str):
        return []
    return [row for row in values if isinstance(row, Mapping) and row]


def _row_table(rows: Sequence[Mapping[str, Any]], named: Mapping[str, str], caption: str) -> Table:
    """Known columns first, in their order, then others that hold figures."""
    found = dict.fromkeys(
        key for row in rows for key, value in row.items() if _cell(key, value) != NOT_SET
    )
    keys = [key for key in named if key in found] + [key for key in found if key not in named]
    keys = keys[:MOST_COLUMNS]
    head: list[Text] = [named.get(key, _words(key)) for key in keys]
    cells = [[_cell(key, row.get(key)) for key in keys] for row in rows]
    return Table(caption, head, cells, is_numeric=True)


def _cell(key: str, value: Any) -> str:
    """A figure, or one with its error: `{value, error}`."""
    if isinstance(value, Mapping):
        told, error = _cell(key, value.get("value")), _cell(key, value.get("error"))
        return told if NOT_SET in (told, error) else f"{told} ± {error}"
    if key in ("target", "t", "n"):
        return number(value)
    return fixed(value, 1 if key in IN_YEARS else 3)


def _figures(metrics: Mapping[str, Any]) -> list[Block]:
    figures = _rows(metrics.get("figures"))
    if not figures or _rows(metrics.get("merge")):  # whose table holds the same
        return []
    rows = [
        (
            FIGURES.get(str(figure.get("name")), _words(str(figure.get("name")))),
            number(figure.get("value")),
            number(figure.get("standard_error"), 2),
            number(figure.get("floor")),
        )
        for figure in figures
    ]
    caption = (
        "Figures of quality, each with its standard error; the floor is what the figure is between "
        "two sets of real faces of that size."
    )
    return [
        Heading("Figures of quality", 2),
        Table(caption, ("Figure", "Value", "± error", "Floor"), rows, is_numeric=True),
    ]


def _others(metrics: Mapping[str, Any]) -> list[Block]:
    """Single numbers that are known by no table: said, rather than lost."""
    said = {*ALONE, *(figure.get("name") for figure in _rows(metrics.get("figures")))}
    rows = [
        (_words(name), number(value))
        for name, value in metrics.items()
        if _is_number(value) and name not in said
    ]
    if not rows:
        return []
    return [Table("Also measured.", ("Figure", "Value"), rows, is_numeric=True)]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _words(name: str) -> str:
    text = name.replace("_", " ")
    return text[:1].upper() + text[1:]
