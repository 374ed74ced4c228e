"""The demonstration: `darkroom up`, the whole assignment through the API, and its files."""

import contextlib
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from darkroom import cpu, progress
from darkroom.client import Client
from darkroom.lifeline import lifeline
from darkroom.results import save_results
from jobs.contract import JobView
from jobs.settings import WebSettings

NEEDED_BYTES = 200 * 2**20
TAIL_LINES = 25
SECONDS_TO_END = 60.0
SEED = 2026
TITLE = "Demo: the assignment"
# With bfloat16 instructions, and without: steps of each collage, images that the regressor sees,
# and the core-minutes that all jobs take together (an upper figure).
BFLOAT16 = {"num_inference_steps": 1000, "training_images": 40_000}
BFLOAT16_CORE_MINUTES = 30
FLOAT32 = {"num_inference_steps": 250, "training_images": 12_000}
FLOAT32_CORE_MINUTES = 24
PREFIXES = {"sample": "sample-", "merge": "merge-", "guided_sample": "guided-"}
PREFIXES |= {"train_regressor": "regressor-", "report": "report-"}
UNPREFIXED = ("sample", "report")  # kinds whose files keep their names, but for job.json


def run(
    settings: WebSettings,
    data_dir: Path,
    out: Path,
    keeps_serving: bool,
    request: dict[str, Any] | None = None,
) -> None:
    """Run the demonstration.

    Args:
        settings: of the web program; another port is taken if theirs is in use.
        data_dir: folder of the stack.
        out: folder for the files.
        keeps_serving: whether to serve until Ctrl-C afterwards.
        request: a batch of jobs in place of the assignment.

    Raises:
        click.ClickException: something did not start, or a job did not succeed.
    """
    check_disk(Path.cwd())
    data_dir.mkdir(parents=True, exist_ok=True)
    log_file = data_dir / "demo.log"
    port = settings.port if is_free(settings.host, settings.port) else 0
    click.echo(
        "Starting Redis, the web program, the dispatcher and one worker "
        f"(data in {data_dir}/, their log in {log_file})."
    )
    with running_stack(data_dir, port, log_file) as (process, url):
        api_key = next(iter(settings.api_keys), None)
        with Client(url, api_key) as client:
            jobs = submit(client, request)
            click.echo(f"The dashboard: {url}/")
            click.echo(expected_time())
            progress.watch_all(client, jobs)
            count = save_all(client, jobs, out)
        click.echo(f"{count} files in {out}/: see {out / 'collage.png'}{_and_report(out)}")
        if keeps_serving:
            with contextlib.suppress(KeyboardInterrupt):
                click.echo(f"Serving at {url} until Ctrl-C.")
                process.wait()
    click.echo("All that was started has ended.")


def submit(client: Client, request: dict[str, Any] | None) -> list[JobView]:
    """The jobs of this batch, or of the assignment as this computer can do it."""
    if request is not None:
        return client.submit_batch(request)
    effort = BFLOAT16 if cpu.has_bfloat16() else FLOAT32
    return client.submit_assignment({"seed": SEED, "name": TITLE, **effort})


def save_all(client: Client, jobs: Sequence[JobView], out: Path) -> int:
    """Save what the jobs made, each file named for what it shows; the number of files.

    The sample's and the report's files keep their names: collage.png, images/000.png, report.pdf,
    assignment.zip. The others begin with what they are of: merge-collage.png, guided-metrics.json.
    """
    names = names_of(jobs)
    return sum(save_results(client, job.id, out, names[job.id]) for job in jobs)


def names_of(jobs: Sequence[JobView]) -> dict[str, Callable[[str], str]]:
    """Job id → the name of each of its files among those of all jobs."""
    prefixes: dict[str, str] = {}
    names: dict[str, Callable[[str], str]] = {}
    for job in jobs:
        subject = job.params.get("job")  # an evaluation's files go with what it measured
        prefixes[job.id] = prefixes.get(subject or "") or PREFIXES.get(job.kind, f"{job.kind}-")
        names[job.id] = partial(_named, prefixes[job.id], job.kind in UNPREFIXED)
    return names


def _named(prefix: str, keeps_names: bool, name: str) -> str:
    return name if keeps_names and name != "job.json" else prefix + name


def _and_report(out: Path) -> str:
    report = out / "report.pdf"
    return f" and {report}" if report.exists() else ""


def expected_time() -> str:
    """One sentence on what is done here, and how long it takes."""
    cores = cpu.core_count()
    has_bfloat16 = cpu.has_bfloat16()
    core_minutes = BFLOAT16_CORE_MINUTES if has_bfloat16 else FLOAT32_CORE_MINUTES
    minutes = max(1, round(core_minutes / cores))
    if has_bfloat16:
        return (
            f"The whole assignment in {BFLOAT16['num_inference_steps']} steps: at most about "
            f"{minutes} minutes on {cores} idle cores."
        )
    return (
        f"The whole assignment in {FLOAT32['num_inference_steps']} steps in place of "
        f"{BFLOAT16['num_inference_steps']}: about {minutes} minutes on {cores} idle cores. It is "
        "fewer steps because this processor has no bfloat16 instructions (avx512_bf16 or "
        "amx_bf16); a GPU needs a minute."
    )


def check_disk(folder: Path) -> None:
    """Check that the demonstration's files will fit.

    Raises:
        click.ClickException: they will not.
    """
    free = shutil.disk_usage(folder).free
    if free < NEEDED_BYTES:
        raise click.ClickException(
            f"{folder} has {free // 2**20} MiB free; the demonstration needs "
            f"{NEEDED_BYTES // 2**20} MiB"
        )


def is_free(host: str, port: int) -> bool:
    """Whether this port can be listened on."""
    try:
        with socket.create_server((host, port)):
            return True
    except OSError:
        return False


@contextlib.contextmanager
def running_stack(
    data_dir: Path, port: int, log_file: Path
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run `darkroom up` and give its process and URL; it is ended with this context.

    Raises:
        click.ClickException: it ended before it was ready; its last lines are told.
    """
    with lifeline() as line, log_file.open("w") as log, ended_by_sigterm():
        darkroom = [sys.executable, "-m", "darkroom", "--lifeline", str(line)]
        process = subprocess.Popen(
            [*darkroom, "up", "--port", str(port), "--data-dir", str(data_dir)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            pass_fds=(line,),
            process_group=0,  # Ctrl-C reaches this process alone, which then ends that one
        )
        try:
            yield process, wait_for_ready(process, log_file)
        finally:
            process.terminate()
            try:
                process.wait(SECONDS_TO_END)
            except subprocess.TimeoutExpired:
                process.kill()


def wait_for_ready(process: subprocess.Popen[str], log_file: Path) -> str:
    """The URL that `darkroom up` prints once everything serves.

    Raises:
        click.ClickException: it ended before.
    """
    for line in process.stdout or ():
        word, _, url = line.strip().partition(" ")
        if word == "ready":
            return url
    tail = "\n".join(log_file.read_text(errors="replace").splitlines()[-TAIL_LINES:])
    raise click.ClickException(f"`darkroom up` did not start; the end of {log_file}:\n{tail}")


@contextlib.contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """SIGTERM runs the clean-up of this context, as Ctrl-C does."""

    def leave(*_: object) -> None:
        raise SystemExit(128 + signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
