"""The description of a checkpoint: what the network is and where it comes from."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from formats.architectures import ARCHITECTURES, MAX_WIDTH
from formats.errors import BadDescriptionError

MAX_TIMESTEPS = 100_000
MAX_JSON_LENGTH = 2**20  # characters
# In the metrics of a training whose start may know its held-out faces; absent where that is not so.
MAY_BE_LEARNT = "held_out_may_be_learnt"


@dataclass(frozen=True)
class CheckpointDescription:
    """What stands beside the weights of a native checkpoint.

    The defaults are the course's schedule: T = 1000, betas linear from 1e-4 to 0.01.

    Attributes:
        architecture: a name of formats.architectures.
        width: channels of the network's first level.
        timesteps: T of the noise schedule that it was trained on.
        beta_start: the first beta, within 0 and beta_end, 0 excluded.
        beta_end: the last beta, below 1.
        dataset: name and hash of what it was trained on, where known.
        training: how it was trained, any JSON object.
        metrics: what was measured of it, any JSON object.
        source: where it comes from, for people.

    Raises:
        BadDescriptionError: a value is not allowed.
    """

    architecture: str
    width: int
    timesteps: int = 1000
    beta_start: float = 1e-4
    beta_end: float = 0.01
    dataset: str = ""
    training: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""

    def __post_init__(self) -> None:
        """Check every value, whether given in code or read from a file."""
        if self.architecture not in ARCHITECTURES:
            raise BadDescriptionError(
                f"architecture must be one of {', '.join(ARCHITECTURES)}, "
                f"not {str(self.architecture)[:50]!r}"
            )
        _check_integer("width", self.width, MAX_WIDTH)
        _check_integer("timesteps", self.timesteps, MAX_TIMESTEPS)
        if not 0 < self.beta_start <= self.beta_end < 1:
            raise BadDescriptionError(
                "betas must satisfy 0 < beta_start <= beta_end < 1, "
                f"not {self.beta_start} and {self.beta_end}"
            )

    def to_json(self) -> str:
        """Give the description as one JSON object.

        Raises:
            BadDescriptionError: training or metrics hold something that JSON cannot say, or
                the text is longer than MAX_JSON_LENGTH.
        """
        try:
            text = json.dumps(asdict(self), allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            raise BadDescriptionError(f"the description is not JSON: {error}") from error
        _check_length(text)
        return text

    @classmethod
    def from_json(cls, text: str) -> "CheckpointDescription":
        """Read what to_json wrote.

        Raises:
            BadDescriptionError: it is not JSON, or a field is missing, unknown or wrong.
        """
        _check_length(text)
        try:
            values = json.loads(
                text, parse_constant=_refuse_constant, parse_float=_finite, parse_int=_integer
            )
        except (ValueError, RecursionError) as error:
            raise BadDescriptionError(f"the description is not JSON: {error}") from error
        if not isinstance(values, dict):
            raise BadDescriptionError("the description must be a JSON object")
        if unknown := sorted(set(values) - {item.name for item in fields(cls)}):
            raise BadDescriptionError(f"the description has the unknown field {unknown[0][:50]!r}")
        if missing := sorted({"architecture", "width"} - set(values)):
            raise BadDescriptionError(f"the description lacks the field {missing[0]!r}")
        for name, value in values.items():
            _check_kind(name, value)
        return cls(**values)


_KINDS: Mapping[str, tuple[type, ...]] = {
    "architecture": (str,),
    "width": (int,),
    "timesteps": (int,),
    "beta_start": (int, float),
    "beta_end": (int, float),
    "dataset": (str,),
    "training": (dict,),
    "metrics": (dict,),
    "source": (str,),
}


def _check_length(text: str) -> None:
    if len(text) > MAX_JSON_LENGTH:
        raise BadDescriptionError(
            f"the description may have {MAX_JSON_LENGTH} characters at most, not {len(text)}"
        )


def _check_kind(name: str, value: object) -> None:
    kinds = _KINDS[name]
    if isinstance(value, bool) or not isinstance(value, kinds):
        raise BadDescriptionError(
            f"the description's {name} must be {' or '.join(kind.__name__ for kind in kinds)}, "
            f"not {type(value).__name__}"
        )


def _check_integer(name: str, value: int, largest: int) -> None:
    if not 1 <= value <= largest:
        raise BadDescriptionError(f"{name} must be within 1 and {largest}, not {value}")


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name[:50]} is not a number that JSON knows")


def _finite(digits: str) -> float:
    value = float(digits)
    return value if math.isfinite(value) else _refuse_constant(digits)


def _integer(digits: str) -> int:
    _finite(digits)  # what no float holds breaks whoever shows or measures it
    return int(digits)
