"""What several sections have in common: numbers as texts, settings, networks, cropped collages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

from PIL import Image

from formats.architectures import ARCHITECTURES, tensor_shapes
from formats.description import MAY_BE_LEARNT
from formats.errors import FormatError
from formats.faces import FACE_SIZE
from formats.pictures import decode_png, encode_png
from reports.contents import Block, Code, Formula, Heading, Paragraph, Picture, Run, Table, Text
from reports.material import CheckpointFile, MadeJob, Material, PictureFile

MOST_ROWS = 16  # of faces, that a picture shows
NOT_SET = "–"
TIMESTEPS = 1000  # T of the course's schedule
MINUTE, HOUR = 60, 3600
NETWORKS: Mapping[str, str] = {
    "unet": "noise predictor (U-Net)",
    "age_regressor": "age regressor (the U-Net’s downward half)",
    "age_judge": "judge of ages",
}


@dataclass
class Context:
    """What a section knows of the others.

    Attributes:
        material: all that is reported on.
        shown: what was explained, and the number of the section that does.
        section: the number of this one.
    """

    material: Material
    shown: dict[Any, int] = field(default_factory=dict)
    section: int = 0

    def first_time(self, what: Any) -> bool:
        """Whether nothing before has explained this; remembers that this section does."""
        return self.shown.setdefault(what, self.section) == self.section

    def place_of(self, what: Any) -> str:
        """The section that explains this."""
        return f"section {self.shown[what]}"


def headed(job: MadeJob, title: str) -> Heading:
    """The head of a job's section, with the name that it was given."""
    return Heading(f"{title}: {job.name}" if job.name else title)


def number(value: Any, digits: int = 3) -> str:
    """A figure for people; what is none is said to be missing."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return NOT_SET
    if isinstance(value, int) or (value.is_integer() and abs(value) < 10**digits):
        return _with_minus(f"{int(value):,}")
    return _with_minus(f"{value:.{digits}g}" if abs(value) < 10**digits else f"{value:,.0f}")


def fixed(value: Any, decimals: int) -> str:
    """A figure with so many decimals."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return NOT_SET
    return _with_minus(f"{value:.{decimals}f}")


def _with_minus(text: str) -> str:
    return f"−{text[1:]}" if text.startswith("-") else text


def duration(seconds: Any) -> str:
    """So many seconds, for people."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return NOT_SET
    if seconds < MINUTE:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < HOUR:
        return f"{whole // MINUTE} min {whole % MINUTE} s"
    return f"{whole // HOUR} h {whole % HOUR // MINUTE} min"


def took(job: MadeJob) -> str:
    """How long a job took, as a sentence that follows others; empty where nobody knows."""
    return "" if job.seconds is None else f" It took {duration(job.seconds)}."


def settings(job: MadeJob, title: str) -> list[Block]:
    """All parameters of a job, as it was carried out."""
    is_set = {name: value for name, value in job.params.items() if value is not None}
    rows = [(Code(name), Code(_value(value))) for name, value in is_set.items()]
    left = [name for name in job.params if name not in is_set]
    blocks: list[Block] = [
        Table(f"Settings of {title}.", ("Parameter", "Value"), rows, is_folded=True)
    ]
    if left:
        blocks.append(Paragraph(["Left open: ", *_joined([Code(name) for name in left]), "."]))
    return blocks


def _joined(codes: Sequence[Code]) -> list[Run]:
    joined: list[Run] = []
    for code in codes:
        joined += [", ", code] if joined else [code]
    return joined


def _value(value: Any) -> str:
    """A parameter as it would be typed."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping):
        return " ".join(f"{name} {_value(each)}" for name, each in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        is_flat = not any(isinstance(each, list | tuple) for each in value)
        return ", ".join(_value(each) if is_flat else _pair(each) for each in value)
    return str(value)


def _pair(value: Any) -> str:
    if not isinstance(value, list | tuple):
        return _value(value)
    return " + ".join(_value(each) for each in value)


def timestep(t: Any) -> Text:
    """`t = 100`."""
    return Formula(f"t = {t}", f"t = {t}") if isinstance(t, int) else f"t = {t}"


def network_blocks(context: Context, checkpoint: CheckpointFile | None) -> list[Block]:
    """What is known of a network, the first time that it is met."""
    if checkpoint is None:
        return []
    what = NETWORKS.get(checkpoint.architecture, checkpoint.architecture or "network")
    if not context.first_time(("network", checkpoint.sha256)):
        place = context.place_of(("network", checkpoint.sha256))
        return [Paragraph([f"The {what} is that of {place}, ", Code(checkpoint.sha256[:16]), "."])]
    rows: list[tuple[Text, Text]] = [
        ("Name", checkpoint.name),
        ("Id", Code(checkpoint.id)),
        ("Architecture", what),
        ("Width", f"{number(checkpoint.facts.get('width'))} channels at full resolution"),
        ("Parameters", _parameters(checkpoint)),
        ("Trained on", str(checkpoint.facts.get("dataset") or NOT_SET)),
        *_training_rows(checkpoint.training),
        *_loss_rows(checkpoint.metrics),
        ("Source", str(checkpoint.facts.get("source") or NOT_SET)),
        ("SHA-256", Code(checkpoint.sha256)),
    ]
    done = "made" if checkpoint.field == "made" else "used"
    return [Table(f"The {what} that was {done}.", ("Fact", "Value"), rows)]


def _parameters(checkpoint: CheckpointFile) -> str:
    architecture, width = checkpoint.architecture, checkpoint.facts.get("width")
    if architecture not in ARCHITECTURES or not isinstance(width, int):
        return NOT_SET
    try:
        shapes = tensor_shapes(architecture, width)
    except FormatError:
        return NOT_SET
    return f"{sum(prod(shape) for shape in shapes.values()):,}"


def _training_rows(training: Mapping[str, Any]) -> list[tuple[Text, Text]]:
    rows: list[tuple[Text, Text]] = []
    if "steps" in training:
        steps = f"{number(training['steps'])} steps of {number(training.get('batch_size'))} images"
        rows.append(("Training", f"{steps}, {duration(training.get('seconds'))}"))
    if "learning_rate" in training:
        warmup = (
            f"{number(training.get('warmup_steps'))} steps, or a tenth of all where that is less"
        )
        rate = f"{number(training['learning_rate'], 6)}, after a warm-up of {warmup}"
        rows.append(("Learning rate", rate))
    if "ema_decay" in training:
        rows.append(("Averaged weights", f"exponential, decay {number(training['ema_decay'], 6)}"))
    if "seed" in training:
        rows.append(("Seed of the training", Code(str(training["seed"]))))
    return rows


def _loss_rows(metrics: Mapping[str, Any]) -> list[tuple[Text, Text]]:
    if "held_out_loss" not in metrics:
        return []
    loss = number(metrics["held_out_loss"], 4)
    if metrics.get(MAY_BE_LEARNT) is True:
        loss += ", of faces of which some may be learnt: on new ones it is larger"
    return [("Held-out loss", loss)]


def cropped(picture: PictureFile, columns: int) -> tuple[bytes, tuple[int, int], bool]:
    """A collage's first columns and rows of faces: PNG, its size, and whether more is left."""
    width, height = picture.size
    kept = min(width, columns * FACE_SIZE), min(height, MOST_ROWS * FACE_SIZE)
    if kept == (width, height):
        return picture.content, picture.size, False
    image = Image.fromarray(decode_png(picture.content)).crop((0, 0, *kept))
    return encode_png(image), kept, True


def whole_picture(job: MadeJob, role: str, caption: Text, alt: str) -> list[Block]:
    """A picture as it is, where the job made one."""
    picture = job.picture(role)
    if picture is None:
        return []
    return [Picture(picture.content, picture.size, caption, alt)]
