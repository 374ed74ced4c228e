"""Show a job's progress: a bar in a terminal, plain lines elsewhere."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

import click
from click._termui_impl import ProgressBar

from darkroom.client import Client
from darkroom.server_error import ServerError
from darkroom.watching import follow
from jobs.contract import JobStatus, JobView

LINE_SECONDS = 10.0  # between two plain lines of an unchanged status
LOSS_SECONDS = 5.0  # between two looks at the curves of a training
FEW_MINUTES, MANY_MINUTES = 1.5, 90.0  # below and above that, seconds and hours say more
PERCENT = "percent"  # the unit of a job that counts nothing else

Detail = Callable[[JobView], str]


def watch(client: Client, job_id: str) -> None:
    """Show a job's progress until it ends, with the newest loss of a training.

    Raises:
        ServerError: there is no such job, or no answer for a minute.
        click.ClickException: it did not succeed.
    """
    finish(show(follow(client, job_id), Losses(client)))


def watch_all(client: Client, jobs: Sequence[JobView]) -> None:
    """Show the progress of several jobs, one after the other, until all have ended.

    Raises:
        ServerError: there is no answer for a minute.
        click.ClickException: not all of them succeeded.
    """
    lost = 0
    for number, job in enumerate(jobs, 1):
        title = f"{job.name} ({job.id})" if job.name else f"{job.kind} {job.id}"
        click.echo(f"[{number}/{len(jobs)}] {title}", err=True)
        try:
            watch(client, job.id)
        except ServerError:
            raise
        except click.ClickException as error:
            error.show()
            lost += 1
    if lost:
        raise click.ClickException(f"{lost} of {len(jobs)} jobs did not succeed")


class Losses:
    """The newest losses of a job that trains, asked for at times."""

    def __init__(self, client: Client) -> None:
        """Ask this client."""
        self._client = client
        self._asked_at = -LOSS_SECONDS
        self._known = ""

    def __call__(self, job: JobView) -> str:
        """`loss 0.0412, held out loss 0.0455`; empty for a job that does not train."""
        is_due = job.status.has_ended or time.monotonic() - self._asked_at >= LOSS_SECONDS
        if "curves" in job.links and is_due:
            self._asked_at = time.monotonic()
            # What is known already stands beside the progress until the server answers again.
            with contextlib.suppress(ServerError):
                curves = self._client.curves(job.id)
                newest = {name: points[-1][1] for name, points in curves.items() if points}
                self._known = ", ".join(
                    f"{name.replace('_', ' ')} {value:.4f}" for name, value in newest.items()
                )
        return self._known


def _nothing(_: JobView) -> str:
    return ""


def show(views: Iterable[JobView], detail: Detail = _nothing) -> JobView:
    """Show each view on standard error until there are no more.

    Args:
        views: of one job, as they come; at least one.
        detail: what is said beside the progress.

    Returns:
        The last view.
    """
    shown = _show_bar if sys.stderr.isatty() else _show_lines
    return shown(views, detail)


def finish(job: JobView) -> None:
    """Say how the job ended.

    Raises:
        click.ClickException: it did not succeed.
    """
    if job.status is JobStatus.SUCCEEDED:
        click.echo(f"job {job.id} succeeded{_duration(job)}", err=True)
    elif job.error is not None:
        reason = f"{job.error.message} [{job.error.code}]"
        raise click.ClickException(f"job {job.id} {job.status.value}: {reason}")
    else:
        raise click.ClickException(f"job {job.id} {job.status.value}")


def describe(job: JobView) -> str:
    """Status, and why a job or some of its shards wait."""
    if job.waiting_reason:
        return f"{job.status.value}: {job.waiting_reason.rstrip('.')}"
    return job.status.value


def ends(job: JobView, now: datetime | None = None) -> str:
    """`ends in 40 s to 2 min`; empty where there is no estimate."""
    if job.estimate is None or job.estimate.end is None:
        return ""
    best, worst = (
        max((moment - (now or datetime.now(UTC))).total_seconds(), 0.0)
        for moment in job.estimate.end
    )
    return f"ends in {span(best)} to {span(worst)}"


def span(seconds: float) -> str:
    """`40 s`, `5 min`, `3 h`: a time to come, as exact as an estimate is."""
    minutes = seconds / 60
    if minutes < FEW_MINUTES:
        return f"{round(seconds)} s"
    return f"{round(minutes)} min" if minutes < MANY_MINUTES else f"{round(minutes / 60)} h"


def percent(job: JobView) -> int:
    """Whole percent of the work done."""
    return 100 * job.progress.done // max(job.progress.total, 1)


def amount(job: JobView) -> str:
    """`120 of 1000 steps`: how far a job is, in its own unit; empty where that is percent."""
    progress = job.progress
    if progress.unit == PERCENT:
        return ""
    return f"{progress.done} of {progress.total} {progress.unit}"


def _show_bar(views: Iterable[JobView], detail: Detail) -> JobView:
    iterator = iter(views)
    view = next(iterator)
    bar: ProgressBar[JobView] = click.progressbar(
        length=max(view.progress.total, 1),
        item_show_func=lambda job: (
            "" if job is None else _join(describe(job), detail(job), ends(job))
        ),
        file=sys.stderr,
    )
    with bar:
        bar.update(view.progress.done, view)
        for new in iterator:
            bar.update(new.progress.done - view.progress.done, new)
            view = new
    return view


def _show_lines(views: Iterable[JobView], detail: Detail) -> JobView:
    last_line, said_at, view = "", 0.0, None
    for view in views:
        status = describe(view)
        if status != last_line or time.monotonic() - said_at >= LINE_SECONDS:
            far = f"{percent(view)} %" + (f" ({amount(view)})" if amount(view) else "")
            click.echo(_join(status, far, detail(view), ends(view)), err=True)
            last_line, said_at = status, time.monotonic()
    if view is None:
        raise ValueError("there must be at least one view")
    return view


def _join(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


def _duration(job: JobView) -> str:
    if job.started_at is None or job.finished_at is None:
        return ""
    minutes, seconds = divmod(round((job.finished_at - job.started_at).total_seconds()), 60)
    return f" in {minutes} min {seconds} s" if minutes else f" in {seconds} s"
