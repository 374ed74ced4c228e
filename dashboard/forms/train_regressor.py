"""The form of the kind `train_regressor`."""

from collections.abc import Callable
from functools import partial

from dashboard.forms.dataset import ROWS, dataset_fields
from dashboard.forms.fields import Field, KindForm, Preset, Section, field_of
from dashboard.forms.training import COMMON_ROWS, LIMIT_ROWS, training_fields
from jobs.requests import DEFAULT_REGRESSOR_IMAGES, TrainRegressorParams

_field: Callable[..., Field] = partial(field_of, TrainRegressorParams)

TRAIN_REGRESSOR = KindForm(
    kind="train_regressor",
    label="Train a regressor",
    lead="A network that tells the age of noised faces, to guide the sampling by.",
    presets=(
        Preset("Quick look", "5 minutes", {"minutes": "5"}),
        Preset(
            "Useful to guide with",
            f"{DEFAULT_REGRESSOR_IMAGES:,} images",
            {"images": str(DEFAULT_REGRESSOR_IMAGES)},
        ),
    ),
    fields=(
        *dataset_fields("Faces with ages; those without one are left out."),
        _field(
            "checkpoint",
            "For the checkpoint",
            "The noise predictor that it will guide: it takes its noise schedule.",
            "select",
            source="noise_predictors",
        ),
        _field(
            "start",
            "Start weights",
            "The first learns much faster.",
            "radio",
            choices=(
                ("checkpoint", "The noise predictor's downward half"),
                ("scratch", "Random, by the seed"),
            ),
        ),
        _field(
            "initial",
            "Go on from",
            "A regressor for the same schedule, in place of start weights; it helps where faces "
            "are few.",
            "select",
            source="regressors",
            empty="Nothing: a new regressor",
        ),
        _field(
            "width",
            "Width",
            "Channels at full resolution: 8 to 128. Empty: that of what it starts from, or of the "
            "checkpoint.",
        ),
        *training_fields(TrainRegressorParams, DEFAULT_REGRESSOR_IMAGES),
        _field("timestep_power", "Little noise first", "t is T·u to this power; 1: every t alike."),
        _field(
            "low_noise_share",
            "Share of little noise",
            "Of the faces: their t is even over the first tenth of T.",
        ),
        _field("shifts", "Shifts", "Each face is moved by up to so many pixels, both ways."),
        _field("weight_decay", "Weight decay", "Of AdamW."),
        _field("patience", "Patience", "Measurements without gain before it stops. Empty: never."),
    ),
    sections=(
        Section("What to learn", (*ROWS, ("checkpoint",), ("start",), ("initial",), ("width",))),
        Section("When to stop: fill in one", (*LIMIT_ROWS, ("patience",))),
        Section(
            "How to train",
            (*COMMON_ROWS, ("timestep_power", "low_noise_share"), ("shifts", "weight_decay")),
            is_folded=True,
        ),
    ),
)
