"""The fields by which a form names its faces."""

from dashboard.forms.fields import Field, field_of
from jobs.requests import DatasetParams

ROWS = (("dataset",), ("synthetic_count", "synthetic_seed"))


def dataset_fields(hint: str) -> tuple[Field, ...]:
    """Which dataset, and what is rendered where it is the synthetic one."""
    return (
        field_of(DatasetParams, "dataset", "Dataset", hint, "select", source="datasets"),
        field_of(
            DatasetParams,
            "synthetic_count",
            "Faces to render",
            "Of the synthetic dataset: 100 to 200,000.",
            only_for="synthetic",
        ),
        field_of(
            DatasetParams,
            "synthetic_seed",
            "Seed of the people",
            "Which people the synthetic dataset shows.",
            "seed",
            only_for="synthetic",
        ),
    )
