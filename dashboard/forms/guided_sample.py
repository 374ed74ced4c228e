"""The form of the kind `guided_sample`."""

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
from dashboard.typed import as_typed
from jobs.requests import DEFAULT_SCALES, GUIDED_PRESETS, GuidedSampleParams

_field: Callable[..., Field] = partial(field_of, GuidedSampleParams)


def _preset(label: str, recipe: str, name: str) -> Preset:
    settings = {key: as_typed(value) for key, value in GUIDED_PRESETS[name].items()}
    return Preset(label, recipe, settings)


GUIDED_SAMPLE = KindForm(
    kind="guided_sample",
    label="Faces at ages",
    lead="The sampler is led, step by step, to where an age regressor sees the target age. "
    "The collage has a row for each age.",
    presets=(
        _preset(
            "The assignment's",
            "10 faces an age, DDPM, all 1,000 steps, plain guidance of scale 0.2",
            "assignment",
        ),
        _preset("Fast", "DPM-Solver++, 20 steps, calibrated guidance", "fast"),
    ),
    fields=(
        _field("target_ages", "Target ages", "0 to 100 years, with commas between.", "list"),
        _field("faces_per_age", "Faces of each age", "The columns of the collage: 1 to 1,000."),
        _field(
            "shared_noise",
            "A column starts from the same noise",
            "So that it shows what age changes.",
            "checkbox",
        ),
        _field(
            "regressor",
            "Age regressor",
            "The network that tells the age of noised faces.",
            "select",
            source="regressors",
        ),
        checkpoint_field(GuidedSampleParams),
        seed_field(GuidedSampleParams, "faces"),
        _field(
            "guidance",
            "Guidance",
            "What the scale multiplies.",
            "radio",
            choices=(
                ("plain", "Plain: the gradient of −(ŷ − y)² in years (the assignment's)"),
                ("calibrated", "Calibrated: divided by twice the regressor's own error at t"),
            ),
        ),
        _field(
            "guidance_scale",
            "Scale",
            f"0 is none. Empty: {DEFAULT_SCALES['plain']:g} plain, "
            f"{DEFAULT_SCALES['calibrated']:g} calibrated.",
        ),
        _field(
            "guidance_form",
            "What it moves",
            "Empty: the mean with DDPM, else the noise.",
            "select",
            empty="As suits the sampler",
            choices=(
                ("mean", "The mean of each step (DDPM only)"),
                ("eps", "The predicted noise"),
            ),
        ),
        _field(
            "guidance_gradient",
            "Where the regressor looks",
            "Both are differentiated to z_t.",
            "radio",
            choices=(
                ("z_t", "At the noisy face z_t"),
                ("x_0", "At the predicted face: three times the work"),
            ),
        ),
        _field("guidance_sigma_min", "Guide from σ", "Noise level; empty: from 0."),
        _field("guidance_sigma_max", "Guide up to σ", "Empty: to the end."),
        _field("guidance_clip", "Longest shift", "As a share of the noise. Empty: any."),
        *sampler_fields(GuidedSampleParams),
        *start_fields(GuidedSampleParams),
    ),
    sections=(
        Section(
            "What to make",
            (
                ("target_ages", "faces_per_age"),
                ("shared_noise",),
                ("regressor",),
                ("checkpoint",),
                ("seed",),
            ),
        ),
        Section(
            "How to guide",
            (
                ("guidance",),
                ("guidance_scale", "guidance_form"),
                ("guidance_gradient",),
                ("guidance_sigma_min", "guidance_sigma_max", "guidance_clip"),
            ),
        ),
        Section("How to sample", (*HOW, *START)),
    ),
)
