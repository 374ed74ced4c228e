"""`python -m diffusion.train_regressor`: train an age regressor, go on after a stop."""

import argparse
import logging
from functools import partial
from pathlib import Path
from typing import Any

import torch

from diffusion.aged_faces import FacesWithAges
from diffusion.checkpoints import load_checkpoint, load_regressor, save_checkpoint
from diffusion.regressor_description import describe_regressor
from diffusion.regressor_training import RegressorTraining, StartNetwork
from diffusion.training_folder import add_limit, command, run_command, train_in
from diffusion.training_options import RegressorOptions, TrainingLimit
from formats.architectures import AGE_REGRESSOR
from formats.checkpoint import read_checkpoint
from formats.faces import load_ages, load_faces
from synthetic import render_faces

logger = logging.getLogger(__name__)

PROGRAM = "diffusion.train_regressor"
OPTIONS = (  # of RegressorOptions, and arguments
    *("batch_size", "learning_rate", "weight_decay", "ema_decay"),
    *("holdout_fraction", "timestep_power", "low_noise_share", "shifts", "seed"),
)


def main() -> None:
    """Run the command line."""
    run_command(PROGRAM, parse_arguments(), run)


def parse_arguments() -> argparse.Namespace:
    """What to train, on what and for how long."""
    parser = argparse.ArgumentParser(prog=f"python -m {PROGRAM}", description=__doc__)
    add = parser.add_argument
    add("--out", type=Path, required=True, help="folder for all files; its state is gone on from")
    add_limit(parser)
    add(
        "--checkpoint",
        type=Path,
        required=True,
        help="the noise predictor that it is made for, or a regressor to go on from",
    )
    add("--start", choices=("checkpoint", "scratch"), default="checkpoint", help="of the weights")
    add("--width", type=int, help="channels at full resolution (those of --checkpoint)")
    add("--faces", type=Path, help="array of faces (.npy, .npy.gz) in place of synthetic ones")
    add("--ages", type=Path, help="their ages in years (.npy, .npy.gz)")
    add("--count", type=int, default=40_000, help="synthetic faces to train on")
    add("--data-seed", type=int, default=1, help="seed of the synthetic faces")
    for name in OPTIONS:
        default = getattr(RegressorOptions, name)
        add(f"--{name.replace('_', '-')}", type=type(default), default=default)
    add("--patience", type=int, help="measurements without improvement before an early stop")
    add(
        "--threads",
        type=int,
        default=1,
        help="CPU threads, and processes that render synthetic faces",
    )
    add("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    arguments = parser.parse_args()
    if (arguments.faces is None) != (arguments.ages is None):
        parser.error("give both --faces and --ages, or neither")
    return arguments


def run(arguments: argparse.Namespace) -> None:
    """Train to the limit, going on from what the folder holds."""
    arguments.out.mkdir(parents=True, exist_ok=True)
    data, dataset = load_dataset(arguments)
    predictor = load_start(arguments.checkpoint)
    training = make_training(arguments, data, predictor)
    logger.info("left out: %d missing ages, %d wrong", training.faces.missing, training.faces.wrong)
    train_in(arguments.out, training, partial(save, arguments, training, predictor, dataset))


def load_dataset(arguments: argparse.Namespace) -> tuple[FacesWithAges, str]:
    """The faces that were asked for with their ages, and their name."""
    if arguments.faces is not None:
        return FacesWithAges(load_faces(arguments.faces), load_ages(arguments.ages)), str(
            arguments.faces.name
        )
    faces, ages = render_faces(arguments.count, arguments.data_seed, arguments.threads)
    name = f"synthetic faces 0 to {arguments.count - 1} of seed {arguments.data_seed}"
    return FacesWithAges(faces, ages), name


def load_start(path: Path) -> StartNetwork:
    """The noise predictor, or the regressor, in this file."""
    _, description = read_checkpoint(path)
    if description.architecture == AGE_REGRESSOR.name:
        return load_regressor(path)
    return load_checkpoint(path)


def make_training(
    arguments: argparse.Namespace, data: FacesWithAges, predictor: StartNetwork
) -> RegressorTraining:
    """The training that was asked for, before its first step."""
    chosen: dict[str, Any] = {name: getattr(arguments, name) for name in (*OPTIONS, "patience")}
    options = RegressorOptions(
        width=arguments.width or predictor.model.width, start=arguments.start, **chosen
    )
    limit = TrainingLimit(arguments.steps, arguments.images, arguments.minutes)
    return RegressorTraining(data, options, limit, predictor=predictor, device=arguments.device)


def save(
    arguments: argparse.Namespace,
    training: RegressorTraining,
    predictor: StartNetwork,
    dataset: str,
) -> None:
    """Write the checkpoint, at the end with its errors by timestep."""
    held_out = list(training.held_out_errors()) if training.has_ended else []
    told = {"command": command(PROGRAM, arguments)}
    described = describe_regressor(training, predictor, dataset, held_out, told)
    path = arguments.out / f"age-regressor-{training.options.width}.safetensors"
    save_checkpoint(path, training.best, described, dtype=torch.float16)
    if held_out:
        logger.info("held-out: %s", {n: v for n, v in described.metrics.items() if n != "curves"})


if __name__ == "__main__":
    main()
