"""The submit forms, without script."""

import html
import re
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pytest
from werkzeug.datastructures import MultiDict

from darkroom.commands.submit import REQUESTS
from dashboard.forms import ASSIGNMENT, FORMS, FORMS_OF_KINDS
from dashboard.forms.reading import parse, parse_assignment, prefilled
from dashboard.typed import as_typed
from formats.architectures import FACE_FEATURES
from formats.checkpoint import write_checkpoint
from formats.description import CheckpointDescription
from jobs.requests import BUNDLED, BUNDLED_64, AssignmentRequest


@pytest.fixture
def typed(bench):
    """What a visitor may type."""
    return {
        "checkpoint": bench.checkpoint,
        "count": "30",
        "columns": "6",
        "sampler": "ddim",
        "num_inference_steps": "50",
        "variance": "posterior",
        "eta": "0.5",
        "clip_x_0": "true",
        "timesteps": "trailing",
        "prior": "data",
        "prior_dataset": "synthetic",
        "seed": "18446744073709551615",
        "name": "Typed",
        "priority": "-3",
        "once": "abc",
    }


def field_error(page, name):
    """The error beside a field, or None."""
    found = re.search(rf'id="error-{name}"[^>]*>([^<]+)<', page.text)
    return found and html.unescape(found[1])


def value_of(page, name):
    """What stands in an input."""
    tag = re.search(rf'<input id="{name}"[^>]*>', page.text)[0]
    return html.unescape(re.search(r'value="([^"]*)"', tag)[1])


def model_of(kind):
    """The parameters that a form's fields stand for."""
    if kind == ASSIGNMENT.kind:
        return AssignmentRequest
    return REQUESTS[kind].model_fields["params"].annotation


def test_every_kind_has_a_form():
    assert set(FORMS_OF_KINDS) == set(REQUESTS)


@pytest.mark.parametrize("kind", FORMS)
def test_a_form_has_every_parameter_with_the_contract_s_default_and_shows_each_once(kind):
    form, model = FORMS[kind], model_of(kind)
    parameters = set(model.model_fields) - {"preset"}  # which the links beside the form stand for
    parameters -= {"name", "priority", "submitter"}  # of the job, or jobs

    assert {each.name for each in form.fields} == parameters
    shown = [name for section in form.sections for row in section.rows for name in row]
    assert sorted(shown) == sorted(parameters)
    for each in form.fields:
        field = model.model_fields[each.name]
        default = field.get_default(call_default_factory=True)
        is_empty = default is None or field.is_required()
        assert each.default == ("" if is_empty else as_typed(default))
        assert each.is_optional == (default is None)


@pytest.mark.parametrize("kind", FORMS)
def test_a_form_s_defaults_and_presets_are_whole_requests(kind):
    form = FORMS[kind]
    needed = {"evaluate": {"checkpoint": "bundled"}, "report": {"jobs": "some"}}.get(kind, {})
    read = parse_assignment if form is ASSIGNMENT else parse

    for settings in ({}, *(preset.settings for preset in form.presets)):
        request = read(form, prefilled(form, MultiDict({**needed, **settings})).values)
        assert getattr(request, "kind", kind) == kind


@pytest.mark.parametrize("kind", FORMS)
def test_what_a_hint_says_is_what_a_browser_and_the_contract_take(kind):
    schemas = model_of(kind).model_json_schema()["properties"]

    for each in FORMS[kind].fields:
        members = schemas[each.name].get("anyOf", [schemas[each.name]])
        (schema,) = (s for s in members if s.get("type", "null") != "null")
        if each.control == "number":
            assert each.minimum == schema.get("minimum", schema.get("exclusiveMinimum"))
            assert each.maximum == schema.get("maximum", schema.get("exclusiveMaximum"))
        if "enum" in schema:
            assert [value for value, _ in each.choices] == schema["enum"]


def test_what_is_typed_becomes_a_job(client, bench, typed):
    answer = client.post("/new", data=typed)

    assert answer.status_code == 303
    job = bench.service.get_job(answer.location.rpartition("/")[2])
    assert (job.name, job.priority, job.submitter) == ("Typed", -3, "local")
    assert job.params == {
        "checkpoint": bench.checkpoint,
        "count": 30,
        "columns": 6,
        "sampler": "ddim",
        "num_inference_steps": 50,
        "variance": "posterior",
        "eta": 0.5,
        "clip_x_0": True,
        "preset": None,
        "timesteps": "trailing",
        "prior": "data",
        "prior_dataset": "synthetic",
        "seed": 2**64 - 1,
    }


def test_an_empty_seed_is_drawn_and_an_unchecked_box_is_off(client, bench, typed):
    del typed["clip_x_0"]

    answer = client.post("/new", data=typed | {"seed": "", "name": " "})

    job = bench.service.get_job(answer.location.rpartition("/")[2])
    assert job.name is None
    assert job.params["clip_x_0"] is False
    assert isinstance(job.params["seed"], int)


def test_the_same_form_sent_twice_is_one_job(client, typed):
    first, second = client.post("/new", data=typed), client.post("/new", data=typed)
    changed = client.post("/new", data=typed | {"count": "31"})

    assert first.location == second.location
    assert changed.location != first.location


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("count", "0", "Faces must be a whole number within 1 and 10,000, not “0”."),
        ("count", "1000000000", "Faces must be a whole number within 1 and 10,000, not “1"),
        ("count", "many", "Faces must be a whole number within 1 and 10,000, not “many”."),
        ("count", "", "Faces must be a whole number within 1 and 10,000, but it is empty."),
        ("columns", "101", "Columns must be a whole number within 1 and 100, not “101”."),
        ("num_inference_steps", "1001", "Denoising steps must be a whole number within 1 and"),
        ("sampler", "euler", "Sampler must be ddpm, ddim or dpmpp_2m, not “euler”."),
        ("eta", "nan", "Eta must be a number within 0 and 1, not “nan”."),
        ("seed", "18446744073709551616", "Seed must be empty, or a whole number within 0 and"),
        ("seed", "-1", "Seed must be empty, or a whole number within 0 and"),
        ("seed", "9" * 5000, "Seed must be empty, or a whole number within 0 and"),
        ("priority", "101", "Priority must be a whole number within -100 and 100, not “101”."),
        ("name", "x" * 201, "Name must be empty, or at most 200 characters, not “xxx"),
        ("timesteps", "karras", "Where the steps lie must be one of the list, not “karras”."),
        ("prior_dataset", "none", "params.prior_dataset: there is no dataset 'none'"),
        ("checkpoint", "none", "params.checkpoint: there is no checkpoint 'none'"),
        ("eta", "<script>", "Eta must be a number within 0 and 1, not “<script>”."),
    ],
)
def test_bad_input_is_said_beside_its_field_and_kept(client, bench, typed, name, text, message):
    page = client.post("/new", data=typed | {name: text})

    assert page.status_code == 422
    assert field_error(page, name).startswith(message)
    assert f'href="#{name}"' in page.text
    assert "<title>Error: New job" in page.text
    assert value_of(page, "columns") == (text if name == "columns" else "6")
    if name in ("count", "eta", "seed", "priority", "name"):
        assert value_of(page, name) == text
    assert "<script>" not in page.text
    assert bench.service.list_jobs().items == []


def test_all_wrong_fields_are_said_at_once(client, typed):
    page = client.post("/new", data=typed | {"count": "0", "eta": "2"})

    assert field_error(page, "count")
    assert field_error(page, "eta")
    assert field_error(page, "seed") is None


def test_submit_again_fills_the_form_with_the_job_s_settings(client, bench, typed):
    location = client.post("/new", data=typed).location
    link = re.search(r'href="(/new\?[^"]+)">Submit again', client.get(location).text)[1]

    page = client.get(html.unescape(link))

    assert value_of(page, "count") == "30"
    assert value_of(page, "eta") == "0.5"
    assert value_of(page, "seed") == "18446744073709551615"
    assert re.search(r'value="ddim" checked', page.text)
    assert re.search(r'value="posterior" checked', page.text)
    assert re.search(r'name="clip_x_0" value="true" checked', page.text)
    assert f'<option value="{bench.checkpoint}" selected>' in page.text
    assert "This seed makes the very faces" in page.text


def preset_links(page):
    """Where the presets of a form lead."""
    presets = re.search(r'<nav class="presets".*?</nav>', page.text, re.S)[0]
    return [html.unescape(link) for link in re.findall(r'href="([^"]+)"', presets)]


@pytest.mark.parametrize("checkpoint", [BUNDLED, BUNDLED_64])
def test_a_preset_fills_the_form_and_can_be_submitted(client, checkpoint):
    assignment, fast, _ = preset_links(client.get(f"/new?checkpoint={checkpoint}"))

    page = client.get(fast)

    assert value_of(page, "num_inference_steps") == "20"
    assert re.search(r'value="dpmpp_2m" checked', page.text)
    assert re.search(r'value="data" checked', page.text)
    assert '<option value="logsnr" selected>' in page.text
    assert value_of(client.get(assignment), "num_inference_steps") == "1000"
    answer = client.post("/new", data=dict(parse_qsl(urlsplit(fast).query)))
    assert answer.status_code == 303


def test_a_training_is_submitted_with_one_limit(client, bench):
    quick, good = preset_links(client.get("/new?kind=train_ddpm"))
    page = client.get(quick)
    assert (value_of(page, "minutes"), value_of(page, "images")) == ("10", "")
    assert value_of(client.get(good), "images") == "1000000"
    typed = {"kind": "train_ddpm", "dataset": "synthetic", "minutes": "2.5", "width": "8"}

    answer = client.post("/new", data=typed)

    job = bench.service.get_job(answer.location.rpartition("/")[2])
    assert (job.kind, job.params["minutes"], job.params["width"]) == ("train_ddpm", 2.5, 8)
    assert job.params["horizontal_flips"] is False  # a box that is off is not posted
    assert job.progress.unit == "seconds"


def test_two_limits_of_a_training_are_said_beside_both(client, bench):
    page = client.post(
        "/new", data={"kind": "train_ddpm", "minutes": "1", "steps": "5", "images": ""}
    )

    assert page.status_code == 422
    for name in ("minutes", "steps"):
        assert field_error(page, name) == "Give at most one of these: Training steps, Minutes."
    assert field_error(page, "images") is None
    assert value_of(page, "minutes") == "1"


def test_an_evaluation_without_a_subject_says_what_to_choose(client, bench):
    page = client.post("/new", data={"kind": "evaluate"})

    assert page.status_code == 422
    assert field_error(page, "job") == "Give exactly one of these: Faces of job, Checkpoint."


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("learning_rate", "0", "Learning rate must be a number above 0 and at most 0.1, not “0”."),
        ("ema_decay", "1", "Decay of the average must be a number from 0 and below 1, not “1”."),
        ("width", "7", "Width must be empty, or a whole number within 8 and 128, not “7”."),
        ("batch_size", "4000", "params.batch_size: must be at most 98"),
        ("dataset", "gone", "params.dataset: there is no dataset 'gone'"),
    ],
)
def test_a_bad_training_is_said_beside_its_field(client, bench, name, text, message):
    typed = {"kind": "train_ddpm", "synthetic_count": "100", "batch_size": "8"}

    page = client.post("/new", data=typed | {name: text})

    assert page.status_code == 422
    assert field_error(page, name).startswith(message)
    if name == "learning_rate":  # its section is folded until something in it is wrong
        assert '<details class="section" open>' in page.text


def test_an_unknown_kind_is_said(client):
    page = client.get("/new?kind=paint")

    assert page.status_code == 422
    assert "kind must be one of sample, merge, train_regressor, guided_sample" in html.unescape(
        page.text
    )


def test_only_noise_predictors_are_offered(client, bench, tmp_path):
    weights = {name: np.zeros(shape, np.float32) for name, shape in FACE_FEATURES.shapes(4).items()}
    path = tmp_path / "features.safetensors"
    write_checkpoint(path, weights, CheckpointDescription(FACE_FEATURES.name, 4))
    other = bench.service.import_checkpoint(path, "What is seen").id

    assert other in client.get("/checkpoints").text
    for kind in FORMS:
        page = client.get(f"/new?kind={kind}")
        assert kind == "report" or f'<option value="{bench.checkpoint}"' in page.text
        assert other not in page.text
