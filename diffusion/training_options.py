"""What a training is asked to do: its options, its limit, and the learning rate of each step."""

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

MOST_SHIFTED = 8  # pixels
MOST_POWER = 10


Rule = tuple[str, bool, str]  # a field, whether it is right, what it must be


@dataclass(frozen=True)
class LoopOptions:
    """How any network here is trained.

    The defaults are for hours on a CPU, where steps are dear: small batches and a high learning
    rate learn most from few pictures (docs/checkpoints.md has the figures). A GPU is idle with
    them; batches of 512 with the same learning rate fill it.

    Attributes:
        width: the network's channels at full resolution.
        batch_size: faces in a step.
        learning_rate: the highest, reached after the warm-up.
        warmup_steps: of a linear rise to it, which never takes more than WARMUP_SHARE of the limit.
        final_learning_rate: at the end of the cosine, as a share of the highest, 0 … 1.
        weight_decay: of AdamW.
        gradient_norm: longer gradients are shortened to this.
        ema_decay: of the average of the weights, 0 … 1, 1 excluded.
        horizontal_flips: whether every other face is mirrored.
        holdout_fraction: of the faces that are not trained on but measured, above 0 … 1/2.
        seed: of start weights, split, order, flips, timesteps and noise, 0 … 2**64 − 1.

    Raises:
        ValueError: a value is outside its range.
    """

    width: int = 32
    batch_size: int = 32
    learning_rate: float = 1e-3
    warmup_steps: int = 300
    final_learning_rate: float = 0.02
    weight_decay: float = 0.0
    gradient_norm: float = 1.0
    ema_decay: float = 0.999
    horizontal_flips: bool = True
    holdout_fraction: float = 0.02
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name, is_right, allowed in self._rules():
            if not is_right:
                raise ValueError(f"{name} must be {allowed}, not {getattr(self, name)}")

    def _rules(self) -> list[Rule]:
        return [
            ("width", self.width >= 1, "at least 1"),
            ("batch_size", self.batch_size >= 1, "at least 1"),
            ("learning_rate", 0 < self.learning_rate < math.inf, "positive"),
            ("warmup_steps", self.warmup_steps >= 1, "at least 1"),
            ("final_learning_rate", 0 <= self.final_learning_rate <= 1, "within 0 and 1"),
            ("weight_decay", 0 <= self.weight_decay <= 1, "within 0 and 1"),
            ("gradient_norm", self.gradient_norm > 0, "positive"),
            ("ema_decay", 0 <= self.ema_decay < 1, "within 0 and 1, 1 excluded"),
            ("holdout_fraction", 0 < self.holdout_fraction <= 1 / 2, "positive, 1/2 at most"),
            ("seed", 0 <= self.seed < 2**64, "within 0 and 2**64 - 1"),
        ]


@dataclass(frozen=True)
class TrainingOptions(LoopOptions):
    """How a noise predictor is trained.

    Attributes:
        min_snr_gamma: a timestep's loss is weighted by min(SNR, gamma) / SNR; None: by 1.
    """

    min_snr_gamma: float | None = None

    def _rules(self) -> list[Rule]:
        gamma = 1.0 if self.min_snr_gamma is None else self.min_snr_gamma
        return [
            *super()._rules(),
            ("min_snr_gamma", 0 < gamma < math.inf, "positive, or None"),
        ]


@dataclass(frozen=True)
class RegressorOptions(LoopOptions):
    """How an age regressor is trained.

    Attributes:
        weight_decay: as a share of the learning rate, per step.
        holdout_fraction: of the faces with an age.
        start: of the weights: "checkpoint" takes the noise predictor's downward half, "scratch"
            random ones by the seed.
        timestep_power: t is T·u to this power, u uniform, 1 … 10: at 2.5 four of ten are below
            T / 10, where there is most to learn of a face, and least noise in its gradient.
        low_noise_share: of the faces, 0 … 1, 1 excluded: their t is even over the first tenth of T,
            which `timestep_power` crowds at its beginning.
        shifts: each face is moved by up to so many pixels, both ways, 0 … 8.
        patience: the training ends when so many measurements in a row (40 in a whole training) do
            not lessen the held-out error; None: never. The best weights are kept either way.
    """

    weight_decay: float = 0.01
    holdout_fraction: float = 0.05
    start: Literal["checkpoint", "scratch"] = "checkpoint"
    timestep_power: float = 2.5
    low_noise_share: float = 0.0
    shifts: int = 2
    patience: int | None = None

    def _rules(self) -> list[Rule]:
        return [
            *super()._rules(),
            ("start", self.start in ("checkpoint", "scratch"), "checkpoint or scratch"),
            (
                "timestep_power",
                1 <= self.timestep_power <= MOST_POWER,
                f"within 1 and {MOST_POWER}",
            ),
            (
                "low_noise_share",
                0 <= self.low_noise_share < 1,
                "within 0 and 1, 1 excluded",
            ),
            ("shifts", 0 <= self.shifts <= MOST_SHIFTED, f"within 0 and {MOST_SHIFTED}"),
            ("patience", self.patience is None or self.patience >= 1, "at least 1, or None"),
        ]


@dataclass(frozen=True)
class TrainingLimit:
    """When a training ends: after steps, images or minutes; exactly one of them is given.

    With steps or images the same training gives the same weights wherever it is stopped and
    resumed. With minutes the clock decides how much is learned: a faster machine does more.

    Attributes:
        steps: batches.
        images: faces shown, each with its own noise; the last batch is whole.
        minutes: of training, those before a stop included.

    Raises:
        ValueError: none is given, or more than one, or it is not positive.
    """

    steps: int | None = None
    images: int | None = None
    minutes: float | None = None

    def __post_init__(self) -> None:
        """Check that there is one limit."""
        given = self.to_dict()
        if len(given) != 1:
            named = ", ".join(given) or "none"
            raise ValueError(f"give one limit of steps, images and minutes, not {named}")
        [(name, value)] = given.items()
        if not 0 < value < math.inf:
            raise ValueError(f"{name} must be positive, not {value}")

    def to_dict(self) -> dict[str, Any]:
        """The one limit under its name."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def share(self, step: int, batch_size: int, seconds: float) -> float:
        """How much of the training is done after some steps and seconds of it: 0 … 1."""
        if self.steps is not None:
            return min(1.0, step / self.steps)
        if self.images is not None:
            return min(1.0, step / -(-self.images // batch_size))
        assert self.minutes is not None
        return min(1.0, seconds / (self.minutes * 60))


WARMUP_SHARE = 0.1  # of the limit; or a training of minutes would end before its warm-up


def learning_rate(options: LoopOptions, step: int, share: float) -> float:
    """Linear warm-up by step, times a cosine by the share of the limit that is done.

    Source of the cosine: Loshchilov and Hutter 2017 (SGDR, arXiv:1608.03983), equation 5.
    """
    warmup = min(1.0, max((step + 1) / options.warmup_steps, share / WARMUP_SHARE))
    cosine = 0.5 * (1 + math.cos(math.pi * share))
    floor = options.final_learning_rate
    return options.learning_rate * warmup * (floor + (1 - floor) * cosine)
