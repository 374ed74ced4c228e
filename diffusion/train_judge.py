"""`python -m diffusion.train_judge`: train the judge of ages on synthetic faces."""

import argparse
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from diffusion.augmentation import cut_out, degrade, move, relight, turn
from diffusion.features import YEARS
from diffusion.judge import AgeJudge, judged_ages, load_judge
from diffusion.network_training import (
    EpochOrder,
    command_of,
    rate_factor,
    run_training,
    save_half,
    start_weights,
    training_parser,
    update,
)
from diffusion.noise import Purpose, uniforms
from formats.architectures import AGE_JUDGE
from formats.checkpoint import CheckpointDescription, read_checkpoint, sha256_of
from formats.faces import Ages, Faces, from_unit_range, to_unit_range
from synthetic import synthetic_faces

logger = logging.getLogger(__name__)

PROGRAM = "diffusion.train_judge"
CALIBRATION = 2000  # faces that follow those of the training: they correct its shrinkage
HELD_OUT = 2000  # faces that follow those
MIDDLE, DEVIATION = 0.5, 0.29  # of ages in hundreds of years; the network learns them as 0 and 1
SHARPEST, SOFTEST = -0.4, 0.9  # amounts of blur
NOISIEST = 0.5  # amount of noise
DECADE = 10  # years
DEGRADED: Mapping[str, tuple[float, float]] = {  # amounts of blur and of noise
    "blurred": (0.5, 0.0),
    "fully_blurred": (1.0, 0.0),
    "sharpened": (-0.3, 0.0),
    "noisy": (0.0, 0.3),
}


@dataclass(frozen=True)
class JudgeTrainingOptions:
    """How a judge is trained."""

    batch_size: int = 64
    learning_rate: float = 3e-3  # the highest, reached after the warm-up
    warmup_steps: int = 100
    weight_decay: float = 0.05
    gradient_norm: float = 1.0  # longer gradients are shortened to this
    huber: float = 0.3  # errors beyond this (in deviations of age) count by their size alone
    only_moved: float = 0.0  # share of faces that are not altered otherwise
    seed: int = 0  # of weights, order and augmentation


class JudgeTraining:
    """A judge and its optimizer, moved on one step at a time.

    Attributes:
        network: float32, channels_last; it learns age less the middle, by the deviation.
        step: steps done.
    """

    def __init__(
        self, faces: Faces, ages: Ages, options: JudgeTrainingOptions, start: int | AgeJudge
    ) -> None:
        """Train a new network of this width, or go on with this one.

        Args:
            faces: gray, uint8 (N, 48, 48), at least one batch.
            ages: of them, (N,).
            options: how.
            start: channels of the first level, or a finished judge, which is changed.
        """
        self._order = EpochOrder(len(faces), options.batch_size, options.seed)
        self.network = AgeJudge(start) if isinstance(start, int) else start.train()
        if isinstance(start, int):
            start_weights(self.network, options.seed, lambda name: name == "age")
        else:
            _rescale(self.network, 1 / DEVIATION, -MIDDLE / DEVIATION)
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch lacks it
        self.options = options
        self.step = 0
        self._faces = faces
        self._targets = ((ages / YEARS - MIDDLE) / DEVIATION).astype(np.float32)
        self._optimizer = torch.optim.AdamW(
            self.network.parameters(), options.learning_rate, weight_decay=options.weight_decay
        )

    def advance(self, progress: float) -> float:
        """Take one step.

        Args:
            progress: share of the whole training that is done, 0 … 1: sets the learning rate.

        Returns:
            The batch's loss (Huber, of ages in deviations).
        """
        rows = self._order.rows(self.step)
        faces = augmented(self._faces[rows], self.options, self.step)
        factor = rate_factor(self.step, self.options.warmup_steps, progress)
        for group in self._optimizer.param_groups:
            group["lr"] = self.options.learning_rate * factor
        found = self.network(faces.contiguous(memory_format=torch.channels_last))
        targets = torch.from_numpy(self._targets[rows])
        loss = functional.huber_loss(found, targets, delta=self.options.huber)
        self.step += 1
        return update(self.network, self._optimizer, loss, self.options.gradient_norm)

    @torch.no_grad()
    def finish(self, faces: Faces, ages: Ages) -> AgeJudge:
        """Give the network its units, and take its shrinkage away; train no more.

        A network that is not sure says something nearer to the middle: old faces too young, young
        ones too old. What judges the mean of many must not: a straight line is fitted to what it
        says as a function of the true age, and undone.

        Args:
            faces: that it was not trained on, uint8 (N, 48, 48).
            ages: of them, (N,).
        """
        network = self.network.eval()
        _rescale(network, DEVIATION, MIDDLE)
        slope, offset = np.polyfit(ages / YEARS, judged_ages(network, faces) / YEARS, 1)
        _rescale(network, 1 / float(slope), -float(offset) / float(slope))
        return network.half().float()  # as it is kept, for what is measured of it then


@torch.no_grad()
def _rescale(network: AgeJudge, factor: float, offset: float) -> None:
    """Let the network say factor · age + offset instead."""
    network.age.weight *= factor
    network.age.bias.copy_(network.age.bias * factor + offset)


def augmented(faces: Faces, options: JudgeTrainingOptions, step: int) -> Tensor:
    """A batch as the network sees it: a share of it only moved, the rest altered in every way.

    Samples of a diffusion model are softer than their data, or grainier: neither may look young or
    old. Of the altered faces half are turned, all relit, half blurred, a quarter sharpened; half
    get noise, mostly little; of half a part is covered.

    Args:
        faces: gray, uint8 (B, 48, 48).
        options: the seed, and the share that is only moved.
        step: of the training.

    Returns:
        Float32 (B, 1, 48, 48), roughly in [-1, 1].
    """
    chance = uniforms(options.seed, range(len(faces)), step, 14, Purpose.AUGMENTATION)
    pixels = to_unit_range(move(faces, chance[:, 0] < 1 / 2, chance[:, 1:3]))
    moved = torch.from_numpy(pixels)[:, None]
    signed = torch.from_numpy((2 * chance - 1).astype(np.float32))
    halves = signed.clamp(min=0)  # 0 for half of the faces
    is_turned = (signed[:, 3] >= 0)[:, None, None, None]
    x = relight(torch.where(is_turned, turn(moved, signed[:, 4:6]), moved), signed[:, 6:8])
    blur = np.interp(chance[:, 8], [0, 1 / 4, 1 / 2, 1], [SHARPEST, 0, 0, SOFTEST])
    blurs = torch.from_numpy(blur.astype(np.float32))
    amounts = torch.stack([blurs, NOISIEST * halves[:, 9].square()], 1)
    generator = torch.Generator().manual_seed(options.seed * 2**32 + step)
    x = degrade(x, amounts, torch.randn(x.shape, generator=generator))
    places = torch.from_numpy(chance[:, 11:13].astype(np.float32))
    x = cut_out(x, torch.cat([halves[:, 10:11], places], 1))
    is_only_moved = torch.from_numpy(chance[:, 13] < options.only_moved)[:, None, None, None]
    return torch.where(is_only_moved, moved, x)


def degraded(faces: Faces, blur: float, noise: float) -> Faces:
    """Faces with this much blur and noise, as pictures, uint8."""
    x = torch.from_numpy(to_unit_range(faces))[:, None]
    grain = torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    amounts = torch.tensor([[blur, noise]]).expand(len(x), -1)
    return from_unit_range(degrade(x, amounts, grain)[:, 0].numpy())


def measure(network: AgeJudge, faces: Faces, ages: Ages) -> dict[str, Any]:
    """Errors in years on faces that the network has not seen.

    Args:
        network: in evaluation mode.
        faces: uint8 (N, 48, 48).
        ages: (N,), within 1 and 100.

    Returns:
        Mean absolute error, mean error (bias) and deviation of the errors; the first two by
        decade of age (1 to 10 first); the first two for faces that are blurred, sharpened, noisy.
    """
    errors = judged_ages(network, faces) - ages
    decades = (np.asarray(ages).astype(np.int64) - 1) // DECADE
    by_decade = [errors[decades == decade] for decade in range(decades.max() + 1)]
    figures: dict[str, Any] = {
        "mae_years": _rounded(np.abs(errors).mean()),
        "bias_years": _rounded(errors.mean()),
        "error_deviation_years": _rounded(errors.std()),
        "mae_by_decade": [_rounded(np.abs(some).mean()) for some in by_decade],
        "bias_by_decade": [_rounded(some.mean()) for some in by_decade],
    }
    for name, amounts in DEGRADED.items():
        errors = judged_ages(network, degraded(faces, *amounts)) - ages
        figures[f"{name}_mae_years"] = _rounded(np.abs(errors).mean())
        figures[f"{name}_bias_years"] = _rounded(errors.mean())
    return figures


def _rounded(value: NDArray[np.float64]) -> float:
    return round(float(value), 2)


def main() -> None:
    """Run the command line."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    arguments = parse_arguments()
    torch.set_num_threads(arguments.threads)
    start: int | AgeJudge = arguments.width
    if arguments.initial is not None:
        start, _ = load_judge(arguments.initial)
    options = JudgeTrainingOptions(
        learning_rate=arguments.learning_rate,
        only_moved=arguments.only_moved,
        seed=arguments.seed,
    )
    count, data_seed = arguments.count, arguments.data_seed
    training = JudgeTraining(*synthetic_faces(count, data_seed), options, start)
    run_training(training.advance, arguments.minutes * 60, arguments.steps)
    network = training.finish(*synthetic_faces(CALIBRATION, data_seed, count))
    metrics = measure(network, *synthetic_faces(HELD_OUT, data_seed, count + CALIBRATION))
    logger.info("held-out: %s", metrics)
    save_half(arguments.out, network, describe(arguments, training, metrics))


def parse_arguments() -> argparse.Namespace:
    """What to train, on what and for how long."""
    parser = training_parser(PROGRAM, __doc__, width=24, data_seed=31)
    defaults = JudgeTrainingOptions()
    add = parser.add_argument
    add("--initial", type=Path, help="a judge to go on with, whose width it keeps")
    add("--learning-rate", type=float, default=defaults.learning_rate, help="the highest")
    add(
        "--only-moved",
        type=float,
        default=defaults.only_moved,
        help="share of faces that are mirrored and shifted, and not altered otherwise",
    )
    return parser.parse_args()


def describe(
    arguments: argparse.Namespace, training: JudgeTraining, metrics: Mapping[str, Any]
) -> CheckpointDescription:
    """What the checkpoint is and how it came about, the command included."""
    command = command_of(PROGRAM, arguments)
    command += f" --learning-rate {arguments.learning_rate} --only-moved {arguments.only_moved}"
    told: dict[str, Any] = {}
    if arguments.initial is not None:
        command += " --initial INITIAL"
        _, initial = read_checkpoint(arguments.initial)
        told["initial"] = {"sha256": sha256_of(arguments.initial), "training": initial.training}
    return CheckpointDescription(
        AGE_JUDGE.name,
        training.network.width,
        dataset=f"synthetic faces 0 to {arguments.count - 1} of seed {arguments.data_seed}",
        training={
            "command": command,
            "steps": training.step,
            "calibration_faces": CALIBRATION,
            **asdict(training.options),
            **told,
        },
        metrics={"held_out_faces": HELD_OUT, **metrics},
        source=f"python -m {PROGRAM}",
    )


if __name__ == "__main__":
    main()
