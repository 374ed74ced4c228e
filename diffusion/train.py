"""`python -m diffusion.train`: train a noise predictor, save each minute, go on after a stop."""

import argparse
import logging
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from diffusion.checkpoints import load_checkpoint, save_checkpoint
from diffusion.prior import DataPrior, fit_prior
from diffusion.sheet import SHEET_SEED, SHEET_STEPS, sample_sheet
from diffusion.training import Training
from diffusion.training_description import describe_training
from diffusion.training_folder import add_limit, command, run_command, train_in, write_whole
from diffusion.training_options import TrainingLimit, TrainingOptions
from formats.faces import load_faces
from formats.pictures import collage, encode_png
from formats.xmp import SourceType
from synthetic import render_faces

logger = logging.getLogger(__name__)

PROGRAM = "diffusion.train"
SHEET_SECONDS = 600  # between two sheets of sampled faces
SHEET_COLUMNS = 8
OPTIONS = ("batch_size", "learning_rate", "ema_decay", "seed")  # of TrainingOptions, and arguments


def main() -> None:
    """Run the command line."""
    run_command(PROGRAM, parse_arguments(), run)


def parse_arguments() -> argparse.Namespace:
    """What to train, on what and for how long."""
    parser = argparse.ArgumentParser(prog=f"python -m {PROGRAM}", description=__doc__)
    add = parser.add_argument
    add("--out", type=Path, required=True, help="folder for all files; its state is gone on from")
    add_limit(parser)
    add("--width", type=int, help="channels at full resolution (32, or those of --initial)")
    add("--initial", type=Path, help="checkpoint to start from in place of random weights")
    add("--faces", type=Path, help="array of faces (.npy, .npy.gz) in place of synthetic ones")
    add("--count", type=int, default=40_000, help="synthetic faces to train on")
    add("--data-seed", type=int, default=1, help="seed of the synthetic faces")
    for name in OPTIONS:
        default = getattr(TrainingOptions, name)
        add(f"--{name.replace('_', '-')}", type=type(default), default=default)
    add(
        "--threads",
        type=int,
        default=1,
        help="CPU threads, and processes that render synthetic faces",
    )
    add("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return parser.parse_args()


def run(arguments: argparse.Namespace) -> None:
    """Train to the limit, going on from what the folder holds."""
    arguments.out.mkdir(parents=True, exist_ok=True)
    faces, dataset = load_dataset(arguments)
    training = make_training(arguments, faces)
    prior = fit_prior(faces)
    keeper = _Keeper(arguments, training, dataset, prior)
    train_in(arguments.out, training, keeper.save)
    draw(arguments.out, training, prior)


class _Keeper:
    """Writes the checkpoint, and a sheet now and then."""

    def __init__(
        self, arguments: argparse.Namespace, training: Training, dataset: str, prior: DataPrior
    ) -> None:
        self._out, self._training, self._prior = arguments.out, training, prior
        self._save = partial(save, arguments, training, dataset, prior)
        self._drawn = time.monotonic()

    def save(self) -> None:
        """Write what is to be kept now."""
        self._save()
        if time.monotonic() - self._drawn >= SHEET_SECONDS and not self._training.has_ended:
            draw(self._out, self._training, self._prior)
            self._drawn = time.monotonic()


def load_dataset(arguments: argparse.Namespace) -> tuple[NDArray[np.uint8], str]:
    """The faces that were asked for, and their name."""
    if arguments.faces is not None:
        return load_faces(arguments.faces), arguments.faces.name
    faces, _ = render_faces(arguments.count, arguments.data_seed, arguments.threads)
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
    """Write the checkpoint, whole or not at all."""
    told = {"command": command(PROGRAM, arguments)}
    described = describe_training(training, dataset, prior, told)
    path = arguments.out / f"noise-predictor-{training.options.width}.safetensors"
    save_checkpoint(path, training.averaged, described, prior=prior, dtype=torch.float16)


def draw(out: Path, training: Training, prior: DataPrior) -> None:
    """Write a sheet of faces sampled from the averaged weights."""
    faces = sample_sheet(training.averaged, training.betas, prior, training.device)
    told = {"step": training.step, "seed": SHEET_SEED, "num_inference_steps": SHEET_STEPS}
    content = encode_png(collage(faces, SHEET_COLUMNS), told, SourceType.GENERATED)
    write_whole(out / f"faces-{training.step:07d}.png", content)


if __name__ == "__main__":
    main()
