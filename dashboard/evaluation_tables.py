"""The tables of an evaluation that are of one kind of job alone: by target age, by timestep."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dashboard.figures import decimals

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Table:
    """Rows of texts; the first cell of each is its heading."""

    caption: str
    head: list[str]
    rows: list[list[str]]


def age_table(content: Mapping[str, Any]) -> Table | None:
    """What an independent judge sees in faces at target ages; None where it saw none."""
    rows = _rows(content.get("ages"))
    if not rows:
        return None
    return Table(
        "Target ages beside what an independent judge sees, which took no part in the guidance. "
        "Ages in years, means with their standard errors; gray hair is the share of light hair and "
        "wrinkles the strength of dark lines, both read off the pixels.",
        ["Target", "Judged", "Mean error", "Spread", "Gray hair", "Wrinkles", "Faces"],
        [
            [
                f"{row['target']:g}",
                told(row.get("judged_mean"), row.get("judged_standard_error")),
                signed(row.get("mean_error")),
                told(row.get("spread"), None, 1),
                told(row.get("gray_hair"), row.get("gray_hair_standard_error")),
                told(row.get("wrinkles"), row.get("wrinkles_standard_error")),
                told(row.get("n"), None, 0),
            ]
            for row in rows
        ],
    )


def merge_table(content: Mapping[str, Any]) -> Table | None:
    """How visible the seam of merged faces is, and what they kept; None where none were."""
    rows = _rows(content.get("merge"))
    if not rows:
        return None
    plain = content.get("plain_seam_energy")
    beside = f" Faces that were never merged have {_estimate(plain)}." if plain else ""
    return Table(
        "Means over the pairs with their standard errors. Seam energy: how visible the seam is, "
        f"best as in faces without one.{beside} Likeness: correlation of each part with the face "
        "that it comes from, at most 1.",
        ["t", "Seam energy", "Like the first", "Like the second"],
        [
            [
                f"{row['t']:,}",
                *(
                    _estimate(row.get(name))
                    for name in ("seam_energy", "correlation_first", "correlation_second")
                ),
            ]
            for row in rows
        ],
    )


def told(value: object, error: object, digits: int = 3) -> str:
    """A value with its error, both as exact as the error is; a dash where there is none."""
    if not isinstance(value, int | float):
        return "–"
    if not isinstance(error, int | float):
        return f"{value:,.{digits}f}"
    shown = decimals(error)
    shown = digits if shown is None else shown
    return f"{value:,.{shown}f} ± {error:,.{shown}f}"


def signed(value: object) -> str:
    """A difference: `+3.1`, `−0.4`."""
    return f"{value:+.1f}".replace("-", "−") if isinstance(value, int | float) else "–"


def _estimate(value: object) -> str:
    if not isinstance(value, Mapping):
        return "–"
    return told(value.get("value"), value.get("error"))


def _rows(values: object) -> Sequence[Row]:
    """A list of objects; what is none, a sentence for instance, has no rows."""
    if not isinstance(values, list):
        return []
    return [row for row in values if isinstance(row, Mapping) and row]
