"""The pages that submit a job: a form for each kind."""

import hashlib
import json
import secrets
from collections.abc import Mapping
from http import HTTPStatus

from flask import Blueprint, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from dashboard.filters import job_title
from dashboard.forms import FORMS
from dashboard.forms.fields import Choices, KindForm, Preset, Source
from dashboard.forms.reading import (
    Form,
    FormError,
    errors_of,
    parse,
    prefilled,
    typed,
    with_choices,
)
from jobs.contract import JobStatus
from jobs.errors import JobError, ValidationError
from jobs.kinds.evaluate import MIN_IMAGES
from jobs.kinds.references import NOISE_PREDICTOR
from jobs.requests import BUNDLED, SYNTHETIC
from jobs.service import JobService

Answer = str | Response | tuple[str, HTTPStatus]
JOBS_OFFERED = 100  # newest that succeeded, of which those with faces can be evaluated


class SubmissionPages:
    """A new job."""

    def __init__(self, service: JobService) -> None:
        """Hand everything to this service."""
        self._service = service

    def add_to(self, pages: Blueprint) -> None:
        """Serve them."""
        pages.add_url_rule("/new", "new", self.new)
        pages.add_url_rule("/new", "submit", self.submit, methods=["POST"])

    def new(self) -> str:
        """The submit form of a kind, prefilled by the query string."""
        kind = _kind(request.args)
        return self._page(kind, prefilled(kind, request.args))

    def submit(self) -> Answer:
        """Submit what was typed and show the job, or show the form again with what is wrong."""
        kind = _kind(request.form)
        values = typed(kind, request.form)
        try:
            submission = self._service.submit(parse(kind, values), g.submitter, _once(values))
        except FormError as error:
            form = Form(values, error.errors)
        except JobError as error:
            form = Form(values, errors_of(kind, error))
        else:
            return redirect(url_for(".job", job_id=submission.job.id), HTTPStatus.SEE_OTHER)
        return self._page(kind, form), HTTPStatus.UNPROCESSABLE_ENTITY

    def _page(self, kind: KindForm, form: Form) -> str:
        fields = with_choices(kind, self._sources(kind), form.values)
        return render_template(
            "new.html",
            kinds=FORMS.values(),
            kind=kind,
            form=form,
            fields=fields,
            presets=[self._fitted(preset, form) for preset in kind.presets],
            once=secrets.token_hex(16),
        )

    def _sources(self, kind: KindForm) -> dict[Source, Choices]:
        """What there is to choose from, as far as this form asks."""
        asked = {each.source for each in kind.fields}
        sources: dict[Source, Choices] = {}
        if "noise_predictors" in asked:
            sources["noise_predictors"] = tuple(
                (each.id, f"{each.name} (width {each.width})")
                for each in self._service.list_checkpoints()
                if each.architecture == NOISE_PREDICTOR
            )
        if "datasets" in asked:
            sources["datasets"] = tuple(
                (each.id, each.name if each.count is None else f"{each.name} ({each.count:,})")
                for each in self._service.list_datasets()
            )
        if "jobs" in asked:
            jobs = self._service.list_jobs(JOBS_OFFERED, status=JobStatus.SUCCEEDED).items
            sources["jobs"] = tuple(
                (job.id, f"{job_title(job)} ({job.id})")
                for job in jobs
                if job.kind == "sample" and job.params["count"] >= MIN_IMAGES
            )
        return sources

    def _fitted(self, preset: Preset, form: Form) -> Preset:
        """The preset for the chosen checkpoint: the bundled one may hold no data to start from."""
        settings = dict(preset.settings)
        chosen = form.values.get("checkpoint")
        if chosen:
            settings["checkpoint"] = chosen
        if settings.get("prior") == "data" and chosen == BUNDLED:
            bundled = self._service.get_checkpoint(BUNDLED)
            if not bundled.description.get("prior_components"):
                settings["prior_dataset"] = SYNTHETIC
        return Preset(preset.label, preset.recipe, settings)


def _kind(given: Mapping[str, str]) -> KindForm:
    name = given.get("kind", next(iter(FORMS)))
    if name not in FORMS:
        allowed = ", ".join(FORMS)
        raise ValidationError(
            f"kind must be one of {allowed}, not {name!r}",
            field="kind",
            value=name,
            allowed=allowed,
        )
    return FORMS[name]


def _once(values: Mapping[str, str]) -> str | None:
    """An idempotency key: the same form sent twice is one job, a changed one another."""
    token = request.form.get("once", "")
    if not token:
        return None
    content = json.dumps([token, values], sort_keys=True)
    return "form-" + hashlib.sha256(content.encode()).hexdigest()
