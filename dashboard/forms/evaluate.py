"""The form of the kind `evaluate`."""

from collections.abc import Callable
from functools import partial

from dashboard.forms.dataset import ROWS, dataset_fields
from dashboard.forms.fields import Field, KindForm, Section, field_of
from jobs.requests import EvaluateParams

_field: Callable[..., Field] = partial(field_of, EvaluateParams)

EVALUATE = KindForm(
    kind="evaluate",
    label="Evaluate",
    lead="Figures of faces that a job made beside real ones, or the losses of a checkpoint.",
    presets=(),
    fields=(
        _field(
            "job",
            "Faces of job",
            "One that merged or guided, or sampled at least 100 faces; it is waited for.",
            "select",
            source="faces",
            empty="None: evaluate a checkpoint",
        ),
        _field(
            "checkpoint",
            "Checkpoint",
            "Its loss is measured in ten bands of t.",
            "select",
            source="noise_predictors",
            empty="None: evaluate a job's faces",
        ),
        *dataset_fields("The faces to compare with."),
        _field("faces", "Faces of the dataset", "At most so many are read: 200 to 10,000."),
        _field("seed", "Seed", "Of the split into halves.", "seed"),
    ),
    sections=(
        Section("What to measure: choose one", (("job",), ("checkpoint",))),
        Section("What to compare with", (*ROWS, ("faces", "seed"))),
    ),
)
