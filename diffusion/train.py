"""`python -m diffusion.train`: train a noise predictor, save each minute, go on after a stop."""

import argparse
import csv
import io
import logging
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from diffusion.checkpoints import load_checkpoint, save_checkpoint
from diffusion.errors import DiffusionError
from diffusion.prior import DataPrior, fit_prior
from diffusion.sheet import SHEET_SEED, SHEET_STEPS, sample_sheet
from diffusion.training import Training
from diffusion.training_description import describe_training
from diffusion.training_options import TrainingLimit, TrainingOptions
from formats.errors import FormatError
from formats.faces import load_faces
from formats.pictures import collage, encode_png
from synthetic import synthetic_faces

logger = logging.getLogger(__name__)

SAVE_SECONDS = 60  # between two saved states
SHEET_SECONDS = 600  # between two sheets of sampled faces
SHEET_COLUMNS = 8
STATE, LOSSES = "state.safetensors", "losses.csv"
OPTIONS = ("batch_size", "learning_rate", "ema_decay", "seed")  # of TrainingOptions, and arguments
DESCRIBED_AS = {"out": "OUT"}  # a checkpoint names no folder of the machine that it was made on


def main() -> None:
    """Run the command line."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    arguments = parse_arguments()
    torch.set_num_threads(arguments.threads)
    try:
        run(arguments)
    except (DiffusionError, FormatError, OSError, ValueError) as error:
        sys.exit(f"python -m diffusion.train: {error}")


def parse_arguments() -> argparse.Namespace:
    """What to train, on what and for how long."""
    parser = argparse.ArgumentParser(prog="python -m diffusion.train", description=__doc__)
    add = parser.add_argument
    add("--out", type=Path, required=True, help="folder for all files; its state is gone on from")
    limit = parser.add_mutually_exclusive_group(required=True)
    limit.add_argument("--minutes", type=float, help="of training, those before a stop included")
    limit.add_argument("--steps", type=int, help="to take in all")
    limit.add_argument("--images", type=int, help="to see in all")
    add("--width", type=int, help="channels at full resolution (32, or those of --initial)")
    add("--initial", type=Path, help="checkpoint to start from in place of random weights")
    add("--faces", type=Path, help="array of faces (.npy, .npy.gz) in place of synthetic ones")
    add("--count", type=int, default=40_000, help="synthetic faces to train on")
    add("--data-seed", type=int, default=1, help="seed of the synthetic faces")
    for name in OPTIONS:
        default = getattr(TrainingOptions, name)
        add(f"--{name.replace('_', '-')}", type=type(default), default=default)
    add("--threads", type=int, default=1, help="CPU threads")
    add("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return parser.parse_args()


def run(arguments: argparse.Namespace) -> None:
    """Train to the limit, going on from what the folder holds."""
    arguments.out.mkdir(parents=True, exist_ok=True)
    faces, dataset = load_dataset(arguments)
    training = make_training(arguments, faces)
    prior = fit_prior(faces)
    state = arguments.out / STATE
    if state.exists():
        training.load_state(state.read_bytes())
        logger.info("going on after %d steps, %.1f min", training.step, training.seconds / 60)
    saved = drawn = time.monotonic()
    for _ in training.run():
        now = time.monotonic()
        if now - saved >= SAVE_SECONDS:
            save(arguments, training, dataset, prior)
            saved = time.monotonic()
        if now - drawn >= SHEET_SECONDS:
            draw(arguments.out, training, prior)
            drawn = time.monotonic()
    save(arguments, training, dataset, prior)
    draw(arguments.out, training, prior)


def load_dataset(arguments: argparse.Namespace) -> tuple[NDArray[np.uint8], str]:
    """The faces that were asked for, and their name."""
    if arguments.faces is not None:
        return load_faces(arguments.faces), arguments.faces.name
    faces, _ = synthetic_faces(arguments.count, arguments.data_seed)
    return faces, f"synthetic faces 0 to {arguments.count - 1} of seed {arguments.data_seed}"


def make_training(arguments: argparse.Namespace, faces: NDArray[np.uint8]) -> Training:
    """The training that was asked for, before its first step."""
    initial = None if arguments.initial is None else load_checkpoint(arguments.initial)
    chosen: dict[str, Any] = {name: getattr(arguments, name) for name in OPTIONS}
    if arguments.width is not None:
        chosen["width"] = arguments.width
    elif initial is not None:
        chosen["width"] = initial.model.width
    options = TrainingOptions(**chosen)
    limit = TrainingLimit(arguments.steps, arguments.images, arguments.minutes)
    return Training(faces, options, limit, initial=initial, device=arguments.device)


def save(arguments: argparse.Namespace, training: Training, dataset: str, prior: DataPrior) -> None:
    """Write the state, the losses and the checkpoint, each whole or not at all."""
    _write(arguments.out / STATE, training.save_state())
    _write(arguments.out / LOSSES, _losses_csv(training))
    described = describe_training(training, dataset, prior, {"command": command(arguments)})
    path = arguments.out / f"noise-predictor-{training.options.width}.safetensors"
    save_checkpoint(path, training.averaged, described, prior=prior, dtype=torch.float16)
    logger.info(
        "%.1f min, %d steps, %d images, %.0f a second, %s",
        training.seconds / 60,
        training.step,
        training.images_seen,
        training.images_per_second,
        described.metrics,
    )


def draw(out: Path, training: Training, prior: DataPrior) -> None:
    """Write a sheet of faces sampled from the averaged weights."""
    faces = sample_sheet(training.averaged, training.betas, prior, training.device)
    told = {"step": training.step, "seed": SHEET_SEED, "num_inference_steps": SHEET_STEPS}
    content = encode_png(collage(faces, SHEET_COLUMNS), told)
    _write(out / f"faces-{training.step:07d}.png", content)


def command(arguments: argparse.Namespace) -> str:
    """The command line that was given, defaults included, folders left out."""
    given = {name: value for name, value in vars(arguments).items() if value is not None}
    named = {n: v.name if isinstance(v, Path) else v for n, v in given.items()} | DESCRIBED_AS
    words = [f"--{name.replace('_', '-')} {value}" for name, value in named.items()]
    return " ".join(["python -m diffusion.train", *words])


def _losses_csv(training: Training) -> bytes:
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(["curve", "steps", "images", "loss"])
    for name, points in training.curves().items():
        for step, loss in points:
            rows.writerow([name, step, int(step) * training.options.batch_size, f"{loss:.5f}"])
    return text.getvalue().encode()


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


if __name__ == "__main__":
    main()
