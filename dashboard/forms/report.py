"""The form of the kind `report`."""

from collections.abc import Callable
from functools import partial

from dashboard.forms.fields import Field, KindForm, Section, field_of
from jobs.requests import ReportParams

_field: Callable[..., Field] = partial(field_of, ReportParams)

REPORT = KindForm(
    kind="report",
    label="Report",
    lead="A page, a PDF, and a zip with scripts that repeat the jobs.",
    presets=(),
    fields=(
        _field("title", "Title", "Of the report. May stay empty.", "text"),
        _field(
            "jobs",
            "Jobs",
            "Reported on in this order, from above; those that run are waited for.",
            "several",
            source="any_jobs",
        ),
    ),
    sections=(
        Section("What it is called", (("title",),)),
        Section("What to report on", (("jobs",),)),
    ),
)
