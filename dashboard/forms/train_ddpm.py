"""The form of the kind `train_ddpm`."""

from collections.abc import Callable
from functools import partial

from dashboard.forms.dataset import ROWS, dataset_fields
from dashboard.forms.fields import Field, KindForm, Preset, Section, field_of
from jobs.requests import DEFAULT_IMAGES, TrainDdpmParams

_field: Callable[..., Field] = partial(field_of, TrainDdpmParams)

TRAIN_DDPM = KindForm(
    kind="train_ddpm",
    label="Train a network",
    lead="A network that predicts the noise in faces, trained on a dataset.",
    presets=(
        Preset("Quick look", "10 minutes", {"minutes": "10"}),
        Preset(
            "Good faces",
            f"{DEFAULT_IMAGES // 1_000_000} million images",
            {"images": str(DEFAULT_IMAGES)},
        ),
    ),
    fields=(
        *dataset_fields("The faces to learn from."),
        _field(
            "width",
            "Width",
            "Channels at full resolution: 8 to 128; the course's network has 64. Empty: 32.",
        ),
        _field(
            "initial",
            "Go on from",
            "Its width is kept.",
            "select",
            source="noise_predictors",
            empty="Nothing: a new network",
        ),
        _field("minutes", "Minutes", "Of training."),
        _field("images", "Images", f"Seen by the network; {DEFAULT_IMAGES:,} if all are empty."),
        _field("steps", "Training steps", "One batch each."),
        _field("batch_size", "Batch size", "Images of one training step."),
        _field("learning_rate", "Learning rate", "The highest, after the warm-up."),
        _field("warmup_steps", "Warm-up steps", "To the highest learning rate."),
        _field("ema_decay", "Decay of the average", "The network that is kept is an average."),
        _field("gradient_norm", "Longest gradient", "Longer ones are clipped."),
        _field("holdout_fraction", "Held out", "Share of the faces kept back to measure with."),
        _field("horizontal_flips", "Mirror every other face", "Twice the faces.", "checkbox"),
        _field(
            "seed",
            "Seed",
            "Decides weights, order, timesteps and noise. Empty: drawn at random.",
            "seed",
        ),
    ),
    sections=(
        Section("What to learn", (*ROWS, ("width",), ("initial",))),
        Section("When to stop: fill in one", (("minutes", "images", "steps"), ("seed",))),
        Section(
            "How to train",
            (
                ("batch_size", "learning_rate"),
                ("warmup_steps", "ema_decay"),
                ("gradient_norm", "holdout_fraction"),
                ("horizontal_flips",),
            ),
            is_folded=True,
        ),
    ),
)
