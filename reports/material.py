"""What a report is made of: jobs that have ended, with what they used and made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class PictureFile:
    """A PNG that a job made.

    Attributes:
        role: `collage` or `figure`.
        name: of the file.
        content: its bytes.
        size: width and height in pixels.
    """

    role: str
    name: str
    content: bytes
    size: tuple[int, int]


@dataclass(frozen=True)
class CheckpointFile:
    """A network that a job used or made.

    Attributes:
        field: the parameter that names it, or `made`.
        id: by which jobs name it.
        name: for people.
        facts: its description, and the training's figures, as JSON values.
        sha256: of the file.
        content: its bytes.
    """

    field: str
    id: str
    name: str
    facts: Mapping[str, Any]
    sha256: str
    content: bytes

    @property
    def architecture(self) -> str:
        """The word that descriptions use."""
        return str(self.facts.get("architecture", ""))

    @property
    def metrics(self) -> Mapping[str, Any]:
        """What was measured of it."""
        metrics = self.facts.get("metrics")
        return metrics if isinstance(metrics, Mapping) else {}

    @property
    def training(self) -> Mapping[str, Any]:
        """How it was trained."""
        training = self.facts.get("training")
        return training if isinstance(training, Mapping) else {}


@dataclass(frozen=True)
class MadeJob:
    """A job that is reported on.

    Attributes:
        id: its own.
        kind: `sample`, `merge`, …
        name: that a person gave it.
        params: as they were carried out.
        seconds: from its start to its end, where known.
        pictures: that it made.
        metrics: that it measured.
        checkpoints: that it used or made.
        curves: of a training: name → points (training step, value).
        arrays: other files of NumPy, by name: `sources.npy`.
    """

    id: str
    kind: str
    name: str | None
    params: Mapping[str, Any]
    seconds: float | None = None
    pictures: Sequence[PictureFile] = ()
    metrics: Mapping[str, Any] = field(default_factory=dict)
    checkpoints: Sequence[CheckpointFile] = ()
    curves: Mapping[str, Points] = field(default_factory=dict)
    arrays: Mapping[str, bytes] = field(default_factory=dict)

    def picture(self, role: str) -> PictureFile | None:
        """The first picture of a role."""
        return next((each for each in self.pictures if each.role == role), None)

    def checkpoint(self, field: str) -> CheckpointFile | None:
        """The checkpoint that this parameter names, or that it made (`made`)."""
        return next((each for each in self.checkpoints if each.field == field), None)


@dataclass(frozen=True)
class Material:
    """All that a report is made of.

    Attributes:
        title: that a person gave the report.
        jobs: in the order in which they are reported on.
        submitter: whose report it is, where that is known.
        date: of its submission, where that is known.
    """

    title: str | None
    jobs: Sequence[MadeJob]
    submitter: str | None = None
    date: str | None = None
