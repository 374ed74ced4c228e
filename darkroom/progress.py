"""Show a job's progress: a bar in a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Iterable

import click
from click._termui_impl import ProgressBar

from jobs.contract import JobStatus, JobView

LINE_SECONDS = 10.0  # between two plain lines of an unchanged status


def show(views: Iterable[JobView]) -> JobView:
    """Show each view on standard error until there are no more.

    Args:
        views: of one job, as they come; at least one.

    Returns:
        The last view.
    """
    return _show_bar(views) if sys.stderr.isatty() else _show_lines(views)


def finish(job: JobView) -> None:
    """Say how the job ended.

    Raises:
        click.ClickException: it did not succeed.
    """
    if job.status is JobStatus.SUCCEEDED:
        click.echo(f"job {job.id} succeeded{_duration(job)}", err=True)
    elif job.error is not None:
        raise click.ClickException(f"job {job.id} failed: {job.error.message} [{job.error.code}]")
    else:
        raise click.ClickException(f"job {job.id} {job.status.value}")


def describe(job: JobView) -> str:
    """Status, and why a job waits."""
    if job.status is JobStatus.QUEUED and job.waiting_reason:
        return f"{job.status.value}: {job.waiting_reason.rstrip('.')}"
    return job.status.value


def percent(job: JobView) -> int:
    """Whole percent of the work done."""
    return 100 * job.progress.done // max(job.progress.total, 1)


def _show_bar(views: Iterable[JobView]) -> JobView:
    iterator = iter(views)
    view = next(iterator)
    bar: ProgressBar[JobView] = click.progressbar(
        length=max(view.progress.total, 1),
        item_show_func=lambda job: "" if job is None else describe(job),
        file=sys.stderr,
    )
    with bar:
        bar.update(view.progress.done, view)
        for new in iterator:
            bar.update(new.progress.done - view.progress.done, new)
            view = new
    return view


def _show_lines(views: Iterable[JobView]) -> JobView:
    last_line, said_at, view = "", 0.0, None
    for view in views:
        status = describe(view)
        if status != last_line or time.monotonic() - said_at >= LINE_SECONDS:
            done, total = view.progress.done, view.progress.total
            click.echo(f"{status}, {percent(view)} % ({done} of {total} image-steps)", err=True)
            last_line, said_at = status, time.monotonic()
    if view is None:
        raise ValueError("there must be at least one view")
    return view


def _duration(job: JobView) -> str:
    if job.started_at is None or job.finished_at is None:
        return ""
    minutes, seconds = divmod(round((job.finished_at - job.started_at).total_seconds()), 60)
    return f" in {minutes} min {seconds} s" if minutes else f" in {seconds} s"
