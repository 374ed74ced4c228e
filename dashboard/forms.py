"""The submit form: its fields, and what was typed into a job request."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import ValidationError

from jobs.contract import CheckpointView
from jobs.errors import JobError
from jobs.requests import MAX_COUNT, TIMESTEPS, JobRequest, job_request_adapter

LONGEST_ECHO = 60  # characters of a wrong value that are shown again in its error
LAST_SEED = 2**64 - 1


@dataclass(frozen=True)
class Field:
    """A field of the form; `allowed` ends the sentence "… must be"."""

    name: str
    label: str
    hint: str
    allowed: str
    control: Literal["number", "text", "select", "radio", "checkbox"] = "number"
    minimum: float | None = None
    maximum: float | None = None
    default: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    step: str = "1"
    only_for: str = ""  # the sampler that reads it; empty: both


PARAMETERS = (
    Field(
        "checkpoint",
        "Checkpoint",
        "The network that predicts the noise.",
        "a checkpoint of the list",
        "select",
        default="bundled",
    ),
    Field(
        "count",
        "Faces",
        f"How many to sample: 1 to {MAX_COUNT:,}.",
        f"a whole number within 1 and {MAX_COUNT:,}",
        minimum=1,
        maximum=MAX_COUNT,
        default="100",
    ),
    Field(
        "columns",
        "Columns",
        "Of the collage: 1 to 100.",
        "a whole number within 1 and 100",
        minimum=1,
        maximum=100,
        default="10",
    ),
    Field(
        "sampler",
        "Sampler",
        "The algorithm that walks from noise to a face.",
        "ddpm or ddim",
        "radio",
        default="ddpm",
        choices=(
            ("ddpm", "DDPM: the book's, with fresh noise at every step"),
            ("ddim", "DDIM: fewer steps do, with as little noise as you like"),
        ),
    ),
    Field(
        "num_inference_steps",
        "Denoising steps",
        f"1 to {TIMESTEPS:,}; {TIMESTEPS:,} visits every timestep.",
        f"a whole number within 1 and {TIMESTEPS:,}",
        minimum=1,
        maximum=TIMESTEPS,
        default=str(TIMESTEPS),
    ),
    Field(
        "variance",
        "Variance of the noise",
        "What DDPM adds at every step.",
        "beta or posterior",
        "radio",
        default="beta",
        only_for="ddpm",
        choices=(
            ("beta", "β: the schedule's own (the book's)"),
            ("posterior", "The posterior's, a little smaller"),
        ),
    ),
    Field(
        "eta",
        "Eta",
        "Noise of DDIM: 0 for none, 1 for as much as DDPM.",
        "a number within 0 and 1",
        minimum=0,
        maximum=1,
        step="any",
        default="0",
        only_for="ddim",
    ),
    Field(
        "clip_x_0",
        "Clip the predicted face",
        "To the range of a picture, at every step.",
        "true or false",
        "checkbox",
        default="false",
    ),
    Field(
        "prior",
        "Start from",
        "Where the walk begins.",
        "standard",
        "select",
        default="standard",
        choices=(("standard", "Pure noise: z_T ~ N(0, I), as in the book"),),
    ),
    Field(
        "seed",
        "Seed",
        "The same seed gives the same faces: 0 to 2⁶⁴ − 1. Empty: drawn at random.",
        f"empty, or a whole number within 0 and {LAST_SEED:,}",
        "text",
    ),
)
ABOUT_JOB = (
    Field(
        "name",
        "Name",
        "For the list; at most 200 characters. May stay empty.",
        "at most 200 characters",
        "text",
        maximum=200,
    ),
    Field(
        "priority",
        "Priority",
        "Higher goes first: −100 to 100.",
        "a whole number within -100 and 100",
        minimum=-100,
        maximum=100,
        default="0",
    ),
)
FIELDS = {each.name: each for each in (*PARAMETERS, *ABOUT_JOB)}
MAY_BE_EMPTY = ("seed", "name")

PRESETS: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("The book's 100", "DDPM, all 1,000 steps", {}),
    ("Quick 100", "DDIM, 50 steps", {"sampler": "ddim", "num_inference_steps": "50"}),
    ("A glance", "16 faces, DDIM, 20 steps", {
        "sampler": "ddim", "num_inference_steps": "20", "count": "16", "columns": "4"}),
)  # fmt: skip


@dataclass(frozen=True)
class Form:
    """What stands in the form, and what is wrong with it, by field; "" is the form itself."""

    values: Mapping[str, str]
    errors: Mapping[str, str] = field(default_factory=dict)


class FormError(Exception):
    """What was typed cannot be submitted."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        """Keep a sentence per field."""
        super().__init__("; ".join(errors.values()))
        self.errors = errors


def fields_for(checkpoints: Sequence[CheckpointView], chosen: str) -> dict[str, Field]:
    """The fields by name, with the checkpoints to choose from; an unknown choice stays visible."""
    choices = [(each.id, f"{each.name} (width {each.width})") for each in checkpoints]
    if chosen not in {value for value, _ in choices}:
        choices.append((chosen, f"{chosen} (not here)"))
    plain = FIELDS["checkpoint"]
    checkpoint = Field(
        plain.name,
        plain.label,
        plain.hint,
        plain.allowed,
        plain.control,
        default=plain.default,
        choices=tuple(choices),
    )
    return FIELDS | {"checkpoint": checkpoint}


def prefilled(query: Mapping[str, str]) -> Form:
    """The form with its defaults, and what a link says in their place."""
    return Form({name: query.get(name, each.default) for name, each in FIELDS.items()})


def typed(posted: Mapping[str, str]) -> dict[str, str]:
    """What was typed; a checkbox that is off is not posted at all."""
    values = {name: posted.get(name, each.default) for name, each in FIELDS.items()}
    values["clip_x_0"] = "true" if "clip_x_0" in posted else "false"
    return values


def parse(values: Mapping[str, str]) -> JobRequest:
    """The job request that the typed values are.

    Raises:
        FormError: they are none.
    """
    given = {name: text.strip() for name, text in values.items() if name in FIELDS}
    request: dict[str, Any] = {"kind": "sample", "params": {}}
    for name, text in given.items():
        place = request if name in {each.name for each in ABOUT_JOB} else request["params"]
        place[name] = text or None if name in MAY_BE_EMPTY else text
    try:
        return job_request_adapter.validate_python(request)
    except ValidationError as error:
        wrong = {str(each["loc"][-1]) for each in error.errors(include_url=False)}
        raise FormError(
            {name: _sentence(FIELDS[name], given[name]) for name in FIELDS if name in wrong}
        ) from error


def errors_of(error: JobError) -> dict[str, str]:
    """A service's error beside the field that it is about, or above the form."""
    name = str(error.details.get("field", "")).rpartition(".")[2]
    return {name if name in FIELDS else "": error.message}


def _sentence(wrong: Field, text: str) -> str:
    shown = text if len(text) <= LONGEST_ECHO else f"{text[:LONGEST_ECHO]}…"
    found = f"not “{shown}”" if text else "but it is empty"
    return f"{wrong.label} must be {wrong.allowed}, {found}."
