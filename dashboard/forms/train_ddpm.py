"""The form of the kind `train_ddpm`."""

from collections.abc import Callable
from functools import partial

from dashboard.forms.dataset import ROWS, dataset_fields
from dashboard.forms.fields import Field, KindForm, Preset, Section, field_of
from dashboard.forms.training import COMMON_ROWS, LIMIT_ROWS, training_fields
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
        *training_fields(TrainDdpmParams, DEFAULT_IMAGES),
    ),
    sections=(
        Section("What to learn", (*ROWS, ("width",), ("initial",))),
        Section("When to stop: fill in one", LIMIT_ROWS),
        Section("How to train", COMMON_ROWS, is_folded=True),
    ),
)
