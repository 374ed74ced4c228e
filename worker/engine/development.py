"""How the faces develop while their network is trained: the same ones, at several moments."""

from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffusion import DataPrior, SampleStep, Training, plan, predictor, sample, start_noise
from formats.faces import Faces, from_unit_range

# Of the limit, the end left out: most is learned early.
SHARES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.55, 0.7, 0.85)
DEVELOPED_FACES = 12
SHEET_FACES = 100
BATCH = 25  # faces sampled at once: a step of them is soon over, also on a CPU
SEED = 2024  # always the same, so that sheets of different trainings can be compared
STEPS = 20


@dataclass(frozen=True, eq=False)
class Moment:
    """Faces at one moment of a training.

    Attributes:
        number: how many of SHARES were reached.
        images_seen: by the network until then.
        faces: uint8 (DEVELOPED_FACES, 48, 48).
    """

    number: int
    images_seen: int
    faces: Faces


@dataclass
class Development:
    """The moments so far, in order."""

    moments: list[Moment] = field(default_factory=list)

    def is_due(self, share: float) -> bool:
        """Whether a share of the limit was reached that has no moment yet."""
        return bisect_right(SHARES, share) > (self.moments[-1].number if self.moments else 0)

    def add(self, share: float, images_seen: int, faces: Faces) -> None:
        """Keep these faces, at this share of the limit."""
        self.moments.append(Moment(bisect_right(SHARES, share), images_seen, faces))

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """All of it, to be saved."""
        rows = [(moment.number, moment.images_seen) for moment in self.moments]
        return {
            "moments": np.array(rows, np.int64).reshape(-1, 2),
            **{f"faces/{moment.number}": moment.faces for moment in self.moments},
        }

    def take_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take back what `to_arrays` gave.

        Raises:
            KeyError: something is missing.
        """
        self.moments = [
            Moment(int(number), int(images_seen), arrays[f"faces/{number}"])
            for number, images_seen in arrays["moments"]
        ]


def sample_faces(
    training: Training,
    prior: DataPrior,
    count: int,
    between_steps: Callable[[], None],
) -> Faces:
    """Sample the averaged weights: DPM-Solver++(2M) in 20 steps, always from the same noise.

    The training is left as it is, and no random numbers are drawn but by seed.

    Args:
        training: at any step.
        prior: where sampling starts.
        count: of faces.
        between_steps: is called after every step of a batch.

    Returns:
        uint8 (count, 48, 48).

    Raises:
        NonFiniteSampleError: the network gives no numbers.
    """
    predict = predictor(training.averaged, training.device, training.dtype)
    table = plan("dpmpp_2m", training.betas, STEPS, timesteps="logsnr")
    pieces = []
    for first in range(0, count, BATCH):
        indices = range(first, min(first + BATCH, count))
        z_t = start_noise(prior, training.betas, SEED, indices).to(training.device)
        for state in sample(predict, table, SEED, indices, start=SampleStep(0, z_t)):
            z_t = state.z
            between_steps()
        pieces.append(from_unit_range(z_t[:, 0].cpu().numpy()))
    return np.concatenate(pieces)
