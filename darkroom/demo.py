"""The demonstration: `darkroom up`, 100 faces through the API, and their files."""

import contextlib
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from darkroom import cpu, progress
from darkroom.client import Client
from darkroom.lifeline import lifeline
from darkroom.results import save_results
from jobs.settings import WebSettings

REQUEST: dict[str, Any] = {"kind": "sample", "params": {"seed": 2026}, "name": "Demo: 100 faces"}
NEEDED_BYTES = 200 * 2**20
TAIL_LINES = 25
SECONDS_TO_END = 60.0
# Core-minutes of 100 faces × 1000 steps with the bundled checkpoint: an upper figure for each.
BFLOAT16_CORE_MINUTES = 12
FLOAT32_CORE_MINUTES = 60


def run(
    settings: WebSettings,
    data_dir: Path,
    out: Path,
    keeps_serving: bool,
    request: dict[str, Any] = REQUEST,
) -> None:
    """Run the demonstration.

    Args:
        settings: of the web program; another port is taken if theirs is in use.
        data_dir: folder of the stack.
        out: folder for the pictures.
        keeps_serving: whether to serve until Ctrl-C afterwards.
        request: the job.

    Raises:
        click.ClickException: something did not start, or the job did not succeed.
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
            job = client.submit(request)
            click.echo(f"The dashboard: {url}/jobs/{job.id}")
            click.echo(expected_time())
            progress.watch(client, job.id)
            count = save_results(client, job.id, out)
        click.echo(f"{count} files in {out}/: see {out / 'collage.png'}")
        if keeps_serving:
            with contextlib.suppress(KeyboardInterrupt):
                click.echo(f"Serving at {url} until Ctrl-C.")
                process.wait()
    click.echo("All that was started has ended.")


def expected_time() -> str:
    """One sentence on how long 100 faces take here."""
    cores = cpu.core_count()
    if cpu.has_bfloat16():
        minutes = max(1, round(BFLOAT16_CORE_MINUTES / cores))
        return f"100 faces in 1000 steps: at most about {minutes} minutes on {cores} idle cores."
    minutes = max(1, round(FLOAT32_CORE_MINUTES / cores))
    return (
        f"100 faces in 1000 steps: about {minutes} minutes on {cores} idle cores, because this "
        "processor has no bfloat16 instructions (avx512_bf16 or amx_bf16); a GPU needs seconds."
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
