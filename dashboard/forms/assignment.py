"""The form of the whole assignment: several jobs in one submission."""

from collections.abc import Callable
from functools import partial

from dashboard.forms.fields import Field, KindForm, Preset, Section, field_of
from jobs.requests import AssignmentRequest

_field: Callable[..., Field] = partial(field_of, AssignmentRequest)

ASSIGNMENT = KindForm(
    kind="assignment",
    label="Assignment",
    lead="Sample, merge, train an age regressor, guide, evaluate, and report on it all: up to "
    "eight jobs, each of which waits for what it needs. You are shown the report, the last one.",
    presets=(
        Preset("The assignment's", "All 1,000 steps; hours on a CPU", {}),
        Preset(
            "A glance",
            "DPM-Solver++, 20 steps, and a regressor that has seen 20,000 images",
            {"sampler": "dpmpp_2m", "training_images": "20000"},
        ),
    ),
    fields=(
        _field(
            "checkpoint",
            "Checkpoint",
            "The network that predicts the noise.",
            "select",
            source="noise_predictors",
        ),
        _field(
            "regressor",
            "Age regressor",
            "To guide with.",
            "select",
            source="regressors",
            empty="None: train one",
        ),
        _field(
            "initial",
            "Go on from",
            "Where one is trained: a regressor of the same schedule; it helps where faces are few.",
            "select",
            source="regressors",
            empty="Nothing: a new regressor",
        ),
        _field(
            "dataset",
            "Dataset",
            "With ages: to merge, to train on and to compare with.",
            "select",
            source="datasets",
        ),
        _field(
            "sampler",
            "Sampler",
            "Of all three collages.",
            "radio",
            choices=(
                ("ddpm", "DDPM, with plain guidance: the assignment's own"),
                ("dpmpp_2m", "DPM-Solver++ (2M), with calibrated guidance: 20 steps do"),
            ),
        ),
        _field(
            "num_inference_steps",
            "Denoising steps",
            "Of all three collages: 1 to 1,000. Empty: 1,000, or 20 by DPM-Solver++. So "
            "few by DDPM leave noise.",
        ),
        _field("training_images", "Training images", "That the regressor sees, if one is trained."),
        _field("seed", "Seed", "Of all jobs. Empty: drawn at random.", "seed"),
    ),
    sections=(
        Section("With what", (("checkpoint",), ("regressor",), ("initial",), ("dataset",))),
        Section("How", (("sampler",),)),
        Section("How much", (("num_inference_steps", "training_images"), ("seed",))),
    ),
)
