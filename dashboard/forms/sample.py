"""The form of the kind `sample`."""

from collections.abc import Callable
from functools import partial

from dashboard.forms.fields import Field, KindForm, Preset, Section, field_of
from dashboard.forms.sampling import (
    HOW,
    START,
    checkpoint_field,
    sampler_fields,
    seed_field,
    start_fields,
)
from jobs.requests import MAX_COUNT, SAMPLE_PRESETS, SampleParams

_field: Callable[..., Field] = partial(field_of, SampleParams)


def _preset(label: str, recipe: str, name: str, **more: str) -> Preset:
    return Preset(label, recipe, {key: str(it) for key, it in SAMPLE_PRESETS[name].items()} | more)


SAMPLE = KindForm(
    kind="sample",
    label="Sample faces",
    lead="New faces out of noise, and their collage.",
    presets=(
        _preset("The assignment's 100", "DDPM, all 1,000 steps, from pure noise", "assignment"),
        _preset("Fast 100", "DPM-Solver++, 20 steps, from the data's own start", "fast"),
        _preset("A glance", "16 faces, the fast way", "fast", count="16", columns="4"),
    ),
    fields=(
        checkpoint_field(SampleParams),
        _field("count", "Faces", f"How many to sample: 1 to {MAX_COUNT:,}."),
        _field("columns", "Columns", "Of the collage: 1 to 100."),
        *sampler_fields(SampleParams),
        *start_fields(SampleParams),
        seed_field(SampleParams, "faces"),
    ),
    sections=(
        Section("What to make", (("count", "columns"), ("checkpoint",), ("seed",))),
        Section("How to sample", (*HOW, *START)),
    ),
)
