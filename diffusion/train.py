"""`python -m diffusion.train`: train a noise predictor, save each minute, go on after a stop."""

import argparse
import csv
import logging
import os
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from diffusion.checkpoints import save_checkpoint
from diffusion.schedule import linear_betas
from diffusion.training import Training, TrainingOptions, initialize
from diffusion.unet import UNet
from formats.architectures import UNET
from formats.checkpoint import CheckpointDescription, sha256_of
from formats.faces import load_faces
from synthetic import synthetic_faces

logger = logging.getLogger(__name__)

SAVE_SECONDS = 60  # of training between two saved states
CHECKPOINT, STATE, LOSSES = "checkpoint.safetensors", "state.pt", "losses.csv"


def main() -> None:
    """Run the command line."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    arguments = parse_arguments()
    torch.set_num_threads(arguments.threads)
    arguments.out.mkdir(parents=True, exist_ok=True)
    training = make_training(arguments)
    for seconds, loss in train_until(training, arguments.out, arguments.minutes * 60):
        description = describe(arguments, training, seconds, loss)
        path = arguments.out / CHECKPOINT
        save_checkpoint(path, training.averaged, description, dtype=torch.float16)


def parse_arguments() -> argparse.Namespace:
    """What to train, on what and for how long."""
    parser = argparse.ArgumentParser(prog="python -m diffusion.train", description=__doc__)
    add = parser.add_argument
    add("--out", type=Path, required=True, help="folder for checkpoint and state")
    add("--minutes", type=float, required=True, help="of training, those before a stop included")
    add("--width", type=int, default=32, help="channels at full resolution")
    add("--faces", type=Path, help="array of faces (.npy, .npy.gz) in place of synthetic ones")
    add("--count", type=int, default=40_000, help="synthetic faces to train on")
    add("--data-seed", type=int, default=1, help="seed of the synthetic faces")
    add("--seed", type=int, default=0, help="seed of the training")
    add("--threads", type=int, default=1, help="CPU threads")
    return parser.parse_args()


def make_training(arguments: argparse.Namespace) -> Training:
    """A new network on the faces that were asked for."""
    faces: NDArray[np.uint8]
    if arguments.faces is None:
        faces, _ = synthetic_faces(arguments.count, arguments.data_seed)
    else:
        faces = load_faces(arguments.faces)
    betas = linear_betas()
    model = UNet(arguments.width, len(betas))
    initialize(model, arguments.seed)
    return Training(model, betas, faces, TrainingOptions(seed=arguments.seed))


def train_until(
    training: Training, out: Path, budget_seconds: float
) -> Iterator[tuple[float, float]]:
    """Train until the budget is spent, going on from a saved state in `out`, saving each minute.

    Yields:
        After each save the seconds trained and the mean loss since the save before, from the first
        step where nothing was trained anew.
    """
    seconds, loss = _load(training, out)
    if training.step:
        logger.info("going on after %.1f minutes, %d steps", seconds / 60, training.step)
        yield seconds, loss
    began, saved = time.monotonic() - seconds, seconds
    losses: list[float] = []
    while seconds < budget_seconds:
        losses.append(training.advance(seconds / budget_seconds))
        seconds = time.monotonic() - began
        if seconds - saved >= SAVE_SECONDS or seconds >= budget_seconds:
            saved, loss = seconds, sum(losses) / len(losses)
            losses.clear()
            _save(training, out, seconds, loss)
            yield seconds, loss


def describe(
    arguments: argparse.Namespace, training: Training, seconds: float, loss: float
) -> CheckpointDescription:
    """What the checkpoint is and how it came about, the command included."""
    if arguments.faces is None:
        dataset = f"synthetic faces 0 to {arguments.count - 1} of seed {arguments.data_seed}"
        data = f"--count {arguments.count} --data-seed {arguments.data_seed}"
    else:
        dataset = f"{arguments.faces.name}, sha256 {sha256_of(arguments.faces)}"
        data = f"--faces {arguments.faces.name}"
    command = (
        f"python -m diffusion.train --out OUT --minutes {arguments.minutes:g} "
        f"--width {arguments.width} {data} --seed {arguments.seed} --threads {arguments.threads}"
    )
    return CheckpointDescription(
        UNET.name,
        arguments.width,
        dataset=dataset,
        training={
            "command": command,
            "minutes": round(seconds / 60, 1),
            "steps": training.step,
            "images_seen": training.images_seen,
            **asdict(training.options),
        },
        metrics={"loss_of_the_last_minute": round(loss, 5)},
        source="python -m diffusion.train; the exponential moving average of the weights",
    )


def _load(training: Training, out: Path) -> tuple[float, float]:
    if not (out / STATE).exists():
        return 0.0, 0.0
    state = torch.load(out / STATE)
    training.load_state_dict(state["training"])
    return state["seconds"], state["loss"]


def _save(training: Training, out: Path, seconds: float, loss: float) -> None:
    temporary = out / f".{STATE}.{os.getpid()}"
    state = {"training": training.state_dict(), "seconds": seconds, "loss": loss}
    torch.save(state, temporary)
    temporary.replace(out / STATE)
    with (out / LOSSES).open("a", newline="") as file:
        minutes = f"{seconds / 60:.2f}"
        csv.writer(file).writerow([minutes, training.step, training.images_seen, f"{loss:.5f}"])
    logger.info(
        "%s min, %d steps, %d images, loss %.4f", minutes, training.step, training.images_seen, loss
    )


if __name__ == "__main__":
    main()
