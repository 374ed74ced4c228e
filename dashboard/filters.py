"""Jinja filters: times, sizes and numbers as people read them."""

from datetime import UTC, datetime, timedelta

from flask import Blueprint

from dashboard.titles import job_title, kind_words, listed, recipe
from dashboard.typed import as_typed
from jobs.contract import JobView, Progress, ShardView

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WEEK_DAYS = 7
FEW_SECONDS = 10
THOUSAND = 1000
ETA_AFTER_SECONDS = 3.0  # before that the pace is not known


def utc(moment: datetime) -> str:
    """An absolute time: `2026-11-24 00:27:26 UTC`."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def ago(moment: datetime, now: datetime | None = None) -> str:
    """How long ago a moment is; a date where that is more than a week."""
    seconds = int(((now or datetime.now(UTC)) - moment).total_seconds())
    if seconds < MINUTE:
        return "just now" if seconds < FEW_SECONDS else f"{seconds} s ago"
    if seconds < HOUR:
        return f"{seconds // MINUTE} min ago"
    if seconds < DAY:
        return f"{seconds // HOUR} h ago"
    days = seconds // DAY
    if days <= WEEK_DAYS:
        return "yesterday" if days == 1 else f"{days} days ago"
    return f"{moment.astimezone(UTC):%d %b %Y}"


def duration(value: timedelta | float) -> str:
    """A span of time: `0.8 s`, `42 s`, `5 min 07 s`, `2 h 03 min`."""
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if seconds < FEW_SECONDS:
        return f"{max(seconds, 0):.1f} s"
    whole = round(seconds)
    if whole < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        return f"{whole // MINUTE} min {whole % MINUTE:02} s"
    return f"{whole // HOUR} h {whole % HOUR // MINUTE:02} min"


def ahead(moments: tuple[datetime, datetime], now: datetime | None = None) -> str:
    """A range of times to come: `in 40 s to 2 min`, `within 5 s`."""
    best, worst = (
        max((each - (now or datetime.now(UTC))).total_seconds(), 0.0) for each in moments
    )
    if best < 1:
        return f"within {_span(worst)}"
    first, last = _span(best), _span(worst)
    return f"in {first}" if first == last else f"in {first} to {last}"


def _span(seconds: float) -> str:
    """As exact as an estimate is: `40 s`, `12 min`, `3.5 h`."""
    if seconds < 1.5 * MINUTE:
        return f"{max(round(seconds), 1)} s"
    if seconds < 1.5 * HOUR:
        return f"{round(seconds / MINUTE)} min"
    return f"{seconds / HOUR:.1f} h"


def file_size(size_bytes: int) -> str:
    """A size: `312 bytes`, `14.2 kB`, `5.9 MB`."""
    if size_bytes < THOUSAND:
        return f"{size_bytes} bytes"
    size = size_bytes / THOUSAND
    for unit in ("kB", "MB"):
        if size < THOUSAND:
            return f"{size:.1f} {unit}"
        size /= THOUSAND
    return f"{size:.1f} GB"


def number(value: int) -> str:
    """A whole number with commas."""
    return f"{value:,}"


def percent(progress: Progress) -> int:
    """How far, in whole percent, never rounded up to 100."""
    return 100 * progress.done // progress.total if progress.total else 0


def run_time(it: JobView | ShardView) -> timedelta | None:
    """How long a job or a shard has run, or ran; None if it never started."""
    if it.started_at is None:
        return None
    return max((it.finished_at or datetime.now(UTC)) - it.started_at, timedelta(0))


def time_left(job: JobView, now: datetime | None = None) -> float | None:
    """About how many seconds a running job needs at its pace so far; None while unknown."""
    progress = job.progress
    if job.started_at is None or job.status.has_ended or not 0 < progress.done < progress.total:
        return None
    if progress.unit == "seconds":  # of training itself: the pace is known
        return float(progress.total - progress.done)
    elapsed = ((now or datetime.now(UTC)) - job.started_at).total_seconds()
    if elapsed < ETA_AFTER_SECONDS:
        return None
    return elapsed * (progress.total - progress.done) / progress.done


def amount(progress: Progress) -> str:
    """How much has to be done, in its unit: `1,500 image-steps`, `10 min 00 s of training`."""
    if progress.unit == "seconds":
        return f"{duration(progress.total)} of training"
    return f"{progress.total:,} {progress.unit}"


def add_filters(pages: Blueprint) -> None:
    """Make them known to the templates."""
    times = (utc, ago, ahead, duration, run_time, time_left)
    words = (job_title, recipe, kind_words, listed, as_typed)
    for each in (*times, *words, file_size, number, percent, amount):
        pages.add_app_template_filter(each)
