"""`python -m diffusion.train_features`: train the feature network on synthetic faces."""

import argparse
import logging
from dataclasses import asdict, dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffusion.augmentation import degrade, move
from diffusion.features import YEARS, FeatureNetwork, read_faces
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
from diffusion.precision import has_fast_bfloat16
from formats.architectures import FACE_FEATURES
from formats.checkpoint import CheckpointDescription
from formats.faces import to_unit_range
from formats.feature_network import HEADS
from synthetic import ATTRIBUTES, synthetic_attributes, synthetic_faces

logger = logging.getLogger(__name__)

PROGRAM = "diffusion.train_features"
HELD_OUT = 4000  # faces that follow those of the training
MIRRORED = ("yaw", "light_x")  # attributes whose sign changes in the mirror
AGE_WEIGHT = 4  # in the loss, where an attribute of unit variance has 1
DEGRADATION_WEIGHT = 20  # their variance is 0.1
SCALING_BATCHES = 32  # whose features give centre and spread


@dataclass(frozen=True)
class FeatureTrainingOptions:
    """How a feature network is trained."""

    batch_size: int = 128
    learning_rate: float = 2e-3  # the highest, reached after the warm-up
    warmup_steps: int = 200
    weight_decay: float = 0.02
    gradient_norm: float = 1.0  # longer gradients are shortened to this
    seed: int = 0  # of weights, order and augmentation


@dataclass(frozen=True, eq=False)
class LabelledFaces:
    """Synthetic faces and what is known of them.

    Attributes:
        faces: gray, uint8 (N, 48, 48).
        labels: float32 (N, 24): age in hundreds of years, then the attributes.
    """

    faces: NDArray[np.uint8]
    labels: NDArray[np.float32]

    @classmethod
    def render(cls, count: int, seed: int, start: int = 0) -> "LabelledFaces":
        """The faces `start` to `start + count - 1` of a seed."""
        faces, ages = synthetic_faces(count, seed, start)
        attributes = synthetic_attributes(count, seed, start)
        return cls(faces, np.column_stack([ages / YEARS, attributes]).astype(np.float32))


class FeatureTraining:
    """A feature network and its optimizer, moved on one step at a time.

    The heads learn age and attributes in units of their own deviation, and how much blur and
    noise was put on the face: else the network would learn to overlook both, which a measure of
    quality must see.

    Attributes:
        network: float32, channels_last; bfloat16 inside where the chip is fast at it.
        step: steps done.
    """

    def __init__(self, data: LabelledFaces, options: FeatureTrainingOptions, width: int) -> None:
        """Make a network of `width` and train it on `data`, at least one batch of faces."""
        self._order = EpochOrder(len(data.faces), options.batch_size, options.seed)
        self.network = FeatureNetwork(width)
        initialize(self.network, options.seed)
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch lacks it
        self.options = options
        self.step = 0
        self._data = data
        self._mean, self._deviation = data.labels.mean(0), data.labels.std(0) + 1e-6
        self._sign = np.array([-1 if name in MIRRORED else 1 for name in ("age", *ATTRIBUTES)])
        self._weights = torch.ones(HEADS)
        self._weights[0], self._weights[len(self._sign) :] = AGE_WEIGHT, DEGRADATION_WEIGHT
        self._bfloat16 = has_fast_bfloat16(torch.device("cpu"))
        self._optimizer = torch.optim.AdamW(
            self.network.parameters(), options.learning_rate, weight_decay=options.weight_decay
        )

    def advance(self, progress: float) -> float:
        """Take one step.

        Args:
            progress: share of the whole training that is done, 0 … 1: sets the learning rate.

        Returns:
            The batch's weighted mean squared error over all heads.
        """
        faces, targets = self._batch(self.step)
        factor = rate_factor(self.step, self.options.warmup_steps, progress)
        for group in self._optimizer.param_groups:
            group["lr"] = self.options.learning_rate * factor
        with torch.autocast("cpu", torch.bfloat16, enabled=self._bfloat16):
            readings = self.network(faces)
        heads = [readings.age[:, None], readings.attributes, readings.degradation]
        loss = ((torch.cat(heads, 1).float() - targets).square() * self._weights).mean()
        self.step += 1
        return update(self.network, self._optimizer, loss, self.options.gradient_norm)

    @torch.no_grad()
    def finish(self) -> FeatureNetwork:
        """Give heads their own units and features zero mean and unit variance; train no more.

        The variance is that over degraded faces: the feature that tells noise varies so little
        over clean ones that a trace of it would else outweigh all that is wrong with a face.
        """
        network, known = self.network, len(self._mean)
        mean, deviation = torch.from_numpy(self._mean), torch.from_numpy(self._deviation)
        network.heads.weight[:known] *= deviation[:, None]
        network.heads.bias[:known] = network.heads.bias[:known] * deviation + mean
        steps = range(self.step, self.step + SCALING_BATCHES)
        found = torch.cat([network(self._batch(step)[0]).features for step in steps])
        network.centre += found.mean(0) * network.spread
        network.spread *= found.std(0)
        return network.eval()

    def _batch(self, step: int) -> tuple[Tensor, Tensor]:
        seed, size = self.options.seed, self.options.batch_size
        rows = self._order.rows(step)
        chance = uniforms(seed, range(size), step, 5, Purpose.AUGMENTATION)
        is_flipped = chance[:, 0] < 1 / 2
        faces = to_unit_range(move(self._data.faces[rows], is_flipped, chance[:, 1:3]))
        # Half of the faces get blur, half get noise, a quarter neither.
        amounts = torch.from_numpy(np.maximum(2 * chance[:, 3:] - 1, 0).astype(np.float32))
        generator = torch.Generator().manual_seed(seed * 2**32 + step)
        grain = torch.randn((size, 1, *faces.shape[1:]), generator=generator)
        labels = (self._data.labels[rows] - self._mean) / self._deviation
        mirrored = -(self._data.labels[rows] + self._mean) / self._deviation
        known = np.where(is_flipped[:, None] & (self._sign < 0), mirrored, labels)
        targets = torch.cat([torch.from_numpy(known.astype(np.float32)), amounts], 1)
        return degrade(torch.from_numpy(faces)[:, None], amounts, grain), targets


def initialize(network: FeatureNetwork, seed: int) -> None:
    """Start weights, with quiet residual branches and heads."""
    start_weights(network, seed, lambda name: name == "heads" or name.endswith("second"))


def measure(network: FeatureNetwork, data: LabelledFaces) -> dict[str, float]:
    """Mean absolute error of the age in years, and each attribute's explained variance R²."""
    readings = read_faces(network, data.faces)
    age, attributes = readings.age.numpy(), readings.attributes.numpy()
    known = data.labels[:, 1:]
    unexplained = ((attributes - known) ** 2).mean(0) / known.var(0)
    error = np.abs(age - data.labels[:, 0]).mean() * YEARS
    explained = {f"r2_{name}": 1 - x for name, x in zip(ATTRIBUTES, unexplained, strict=True)}
    figures = {"age_mae_years": error, **explained}
    return {name: round(float(value), 3) for name, value in figures.items()}


def main() -> None:
    """Run the command line."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    arguments = training_parser(PROGRAM, __doc__, width=32, data_seed=11).parse_args()
    torch.set_num_threads(arguments.threads)
    data = LabelledFaces.render(arguments.count, arguments.data_seed)
    options = FeatureTrainingOptions(seed=arguments.seed)
    training = FeatureTraining(data, options, arguments.width)
    run_training(training.advance, arguments.minutes * 60, arguments.steps)
    network = training.finish()
    held_out = LabelledFaces.render(HELD_OUT, arguments.data_seed, arguments.count)
    metrics = measure(network, held_out)
    logger.info("held-out: %s", metrics)
    save_half(arguments.out, network, describe(arguments, training, metrics))


def describe(
    arguments: argparse.Namespace, training: FeatureTraining, metrics: dict[str, float]
) -> CheckpointDescription:
    """What the checkpoint is and how it came about, the command included."""
    last = arguments.count - 1
    return CheckpointDescription(
        FACE_FEATURES.name,
        arguments.width,
        dataset=f"synthetic faces 0 to {last} of seed {arguments.data_seed}",
        training={
            "command": command_of(PROGRAM, arguments),
            "steps": training.step,
            **asdict(training.options),
        },
        metrics={"held_out_faces": HELD_OUT, **metrics},
        source=f"python -m {PROGRAM}",
    )


if __name__ == "__main__":
    main()
