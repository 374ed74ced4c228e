"""The form of the kind `sample`."""

from collections.abc import Callable
from functools import partial

from dashboard.forms.fields import Field, KindForm, Preset, Section, field_of
from jobs.requests import MAX_COUNT, SAMPLE_PRESETS, TIMESTEPS, SampleParams

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
        _field(
            "checkpoint",
            "Checkpoint",
            "The network that predicts the noise.",
            "select",
            source="noise_predictors",
        ),
        _field("count", "Faces", f"How many to sample: 1 to {MAX_COUNT:,}."),
        _field("columns", "Columns", "Of the collage: 1 to 100."),
        _field(
            "sampler",
            "Sampler",
            "The algorithm that walks from noise to a face.",
            "radio",
            choices=(
                ("ddpm", "DDPM: the book's, with fresh noise at every step"),
                ("ddim", "DDIM: fewer steps do, with as little noise as you like"),
                ("dpmpp_2m", "DPM-Solver++ (2M): 20 steps do, without noise"),
            ),
        ),
        _field(
            "num_inference_steps",
            "Denoising steps",
            f"1 to {TIMESTEPS:,}; {TIMESTEPS:,} visits every timestep.",
        ),
        _field(
            "timesteps",
            "Where the steps lie",
            "Empty: what suits sampler and steps.",
            "select",
            empty="As suits best",
            choices=(("trailing", "Evenly in t (trailing)"), ("logsnr", "Evenly in log SNR")),
        ),
        _field(
            "variance",
            "Variance of the noise",
            "What DDPM adds at every step.",
            "radio",
            only_for="ddpm",
            choices=(
                ("beta", "β: the schedule's own (the book's)"),
                ("posterior", "The posterior's, a little smaller"),
            ),
        ),
        _field(
            "eta",
            "Eta",
            "Noise of DDIM: 0 for none, 1 for as much as DDPM.",
            only_for="ddim",
        ),
        _field(
            "clip_x_0",
            "Clip the predicted face",
            "To the range of a picture, at every step.",
            "checkbox",
        ),
        _field(
            "prior",
            "Start from",
            "Where the walk begins.",
            "radio",
            choices=(
                ("standard", "Pure noise: z_T ~ N(0, I), as in the book"),
                ("data", "The data at t = T: its mean and main directions are not quite gone"),
            ),
        ),
        _field(
            "prior_dataset",
            "Data to start from",
            "Needed where the checkpoint does not hold its data's mean and directions.",
            "select",
            source="datasets",
            empty="What the checkpoint was trained on",
            only_for="data",
        ),
        _field(
            "seed",
            "Seed",
            "The same seed gives the same faces: 0 to 2⁶⁴ − 1. Empty: drawn at random.",
            "seed",
        ),
    ),
    sections=(
        Section("What to make", (("count", "columns"), ("checkpoint",), ("seed",))),
        Section(
            "How to sample",
            (
                ("sampler",),
                ("num_inference_steps", "timesteps"),
                ("variance",),
                ("eta",),
                ("clip_x_0",),
                ("prior",),
                ("prior_dataset",),
            ),
        ),
    ),
)
