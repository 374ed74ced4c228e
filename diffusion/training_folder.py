"""A training from the shell: its folder, from which it goes on, and what is written there."""

import argparse
import csv
import io
import logging
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from diffusion.errors import DiffusionError
from diffusion.training_loop import TrainingLoop
from formats.errors import FormatError

logger = logging.getLogger(__name__)

SAVE_SECONDS = 60  # between two saved states
STATE, LOSSES = "state.safetensors", "losses.csv"
DESCRIBED_AS = {"out": "OUT"}  # a checkpoint names no folder of the machine that it was made on


def run_command(
    program: str, arguments: argparse.Namespace, run: Callable[[argparse.Namespace], None]
) -> None:
    """Run a training that was asked for on the command line; what goes wrong ends it in words."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(arguments.threads)
    try:
        run(arguments)
    except (DiffusionError, FormatError, OSError, ValueError) as error:
        sys.exit(f"python -m {program}: {error}")


def add_limit(parser: argparse.ArgumentParser) -> None:
    """Ask for the one limit of a training."""
    limit = parser.add_mutually_exclusive_group(required=True)
    limit.add_argument("--minutes", type=float, help="of training, those before a stop included")
    limit.add_argument("--steps", type=int, help="to take in all")
    limit.add_argument("--images", type=int, help="to see in all")


def train_in(folder: Path, training: TrainingLoop[Any], save: Callable[[], None]) -> None:
    """Train to the end, going on from the folder's state; save each minute and at the end.

    Args:
        folder: where the state lies.
        training: before its first step.
        save: writes what else is to be kept; it is called after the state was written.

    Raises:
        diffusion.errors.DiffusionError: the state is of another training, or it diverged.
    """
    state = folder / STATE
    if state.exists():
        training.load_state(state.read_bytes())
        logger.info("going on after %d steps, %.1f min", training.step, training.seconds / 60)
    saved = time.monotonic()
    for _ in training.run():
        if time.monotonic() - saved >= SAVE_SECONDS:
            _save(folder, training, save)
            saved = time.monotonic()
    _save(folder, training, save)


def _save(folder: Path, training: TrainingLoop[Any], save: Callable[[], None]) -> None:
    write_whole(folder / STATE, training.save_state())
    write_whole(folder / LOSSES, _curves_csv(training))
    save()
    newest = {name: round(p[-1][1], 5) for name, p in training.curves().items() if p}
    logger.info(
        "%.1f min, %d steps, %d images, %.0f a second, %s",
        training.seconds / 60,
        training.step,
        training.images_seen,
        training.images_per_second,
        newest,
    )


def command(program: str, arguments: argparse.Namespace) -> str:
    """The command line that was given, defaults included, folders left out."""
    given: Mapping[str, Any] = {n: v for n, v in vars(arguments).items() if v is not None}
    named = {n: v.name if isinstance(v, Path) else v for n, v in given.items()} | DESCRIBED_AS
    words = [f"--{name.replace('_', '-')} {value}" for name, value in named.items()]
    return " ".join([f"python -m {program}", *words])


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _curves_csv(training: TrainingLoop[Any]) -> bytes:
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(["curve", "steps", "images", "loss"])
    for name, points in training.curves().items():
        for step, value in points:
            rows.writerow([name, step, int(step) * training.options.batch_size, f"{value:.5f}"])
    return text.getvalue().encode()
