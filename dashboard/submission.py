"""The pages that submit jobs: a form for each kind, and one for the whole assignment."""

import hashlib
import json
import secrets
from collections.abc import Mapping
from http import HTTPStatus

from flask import Blueprint, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from dashboard.forms import ASSIGNMENT, FORMS
from dashboard.forms.fields import KindForm, Preset
from dashboard.forms.reading import (
    Form,
    FormError,
    errors_of,
    parse,
    parse_assignment,
    prefilled,
    typed,
    with_choices,
)
from dashboard.job_parts import SAME_FACES
from dashboard.offers import offers_of
from jobs.errors import JobError, ValidationError
from jobs.library import BUNDLED_IDS
from jobs.requests import SYNTHETIC
from jobs.service import JobService

Answer = str | Response | tuple[str, HTTPStatus]
CHOSEN = ("checkpoint", "regressor", "initial", "dataset")  # which a preset leaves as they are


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
            shown = self._submit(kind, values)
        except FormError as error:
            form = Form(values, error.errors)
        except JobError as error:
            form = Form(values, errors_of(kind, error))
        else:
            return redirect(url_for(".job", job_id=shown), HTTPStatus.SEE_OTHER)
        return self._page(kind, form), HTTPStatus.UNPROCESSABLE_ENTITY

    def _submit(self, kind: KindForm, values: Mapping[str, str]) -> str:
        """Submit what was typed; gives the id of the job to show."""
        whose, key = g.submitter, _once(values)
        if kind is not ASSIGNMENT:
            return self._service.submit(parse(kind, values), whose, key).job.id
        request = parse_assignment(kind, values)
        return self._service.submit_assignment(request, whose, key).jobs[-1].id

    def _page(self, kind: KindForm, form: Form) -> str:
        fields = with_choices(kind, offers_of(self._service, kind), form.values)
        return render_template(
            "new.html",
            kinds=FORMS.values(),
            kind=kind,
            form=form,
            fields=fields,
            presets=[self._fitted(preset, form) for preset in kind.presets],
            once=secrets.token_hex(16),
        )

    def _fitted(self, preset: Preset, form: Form) -> Preset:
        """The preset for what is chosen: a bundled checkpoint may hold no data to start from.

        What goes on from a network keeps the faces that were held out from it.
        """
        kept = (*CHOSEN, *SAME_FACES) if form.values.get("initial") else CHOSEN
        chosen = {name: form.values[name] for name in kept if form.values.get(name)}
        settings = {**preset.settings, **chosen}
        if settings.get("prior") == "data" and chosen.get("checkpoint") in BUNDLED_IDS:
            bundled = self._service.get_checkpoint(chosen["checkpoint"])
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
