"""What a check finds."""

from collections.abc import Iterable, Iterator
from enum import StrEnum

from jobs.contract import Contract

OFFSET_SECONDS = 5.0  # of two clocks, from which it is worth a word


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"  # it works, but not as well, or not for long
    PROBLEM = "problem"  # it does not work, or something can be lost


class Finding(Contract):
    """One line of the report."""

    level: Level
    part: str
    message: str
    advice: str = ""


def ok(part: str, message: str) -> Finding:
    """Nothing is to be done."""
    return Finding(level=Level.OK, part=part, message=message)


def warning(part: str, message: str, advice: str) -> Finding:
    """Something should be done."""
    return Finding(level=Level.WARNING, part=part, message=message, advice=advice)


def problem(part: str, message: str, advice: str) -> Finding:
    """Something must be done."""
    return Finding(level=Level.PROBLEM, part=part, message=message, advice=advice)


def guarded(part: str, findings: Iterable[Finding]) -> Iterator[Finding]:
    """The findings of a part; what breaks its checks is the last of them."""
    try:
        yield from findings
    except Exception as error:  # whatever it is, the other parts are looked at
        first = str(error).strip().splitlines()[:1]
        message = f"cannot be examined: {type(error).__name__}: {''.join(first)}"
        yield problem(part, message, "see what the log of the programs says")


def clock_offset(part: str, seconds: float, what_depends: str) -> Finding:
    """How far this part's clock is from this computer's."""
    if abs(seconds) > OFFSET_SECONDS:
        return warning(
            part,
            f"its clock is {seconds:+.0f} s off this computer's; {what_depends}",
            "set both clocks by NTP",
        )
    return ok(part, f"its clock is within {max(1, abs(round(seconds)))} s of this computer's")


def gigabytes(size_bytes: float) -> str:
    """A size for people: `3.2 GB`."""
    return f"{size_bytes / 1e9:.1f} GB"
