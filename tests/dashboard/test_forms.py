"""The submit form and the upload form, without script."""

import html
import io
import re

import pytest

from darkroom.web import create_app
from dashboard.forms import FIELDS, MAY_BE_EMPTY, PARAMETERS
from jobs.requests import SampleJob, SampleParams


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
        "prior": "standard",
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


def test_the_form_has_every_parameter_with_the_contract_s_default():
    assert {each.name for each in PARAMETERS} == set(SampleParams.model_fields)
    defaults = SampleParams().model_dump()
    for each in PARAMETERS:
        if each.name in MAY_BE_EMPTY:
            assert defaults[each.name] is None
        elif isinstance(defaults[each.name], bool):
            assert each.default == str(defaults[each.name]).lower()
        else:
            assert type(defaults[each.name])(each.default) == defaults[each.name]


@pytest.mark.parametrize(
    "name", [name for name, each in FIELDS.items() if each.minimum is not None]
)
def test_the_form_s_ranges_are_the_contract_s(name):
    model = SampleParams if name in SampleParams.model_fields else SampleJob

    schema = model.model_json_schema()["properties"][name]

    assert (FIELDS[name].minimum, FIELDS[name].maximum) == (schema["minimum"], schema["maximum"])


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
        "prior": "standard",
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
        ("sampler", "euler", "Sampler must be ddpm or ddim, not “euler”."),
        ("eta", "nan", "Eta must be a number within 0 and 1, not “nan”."),
        ("seed", "18446744073709551616", "Seed must be empty, or a whole number within 0 and"),
        ("seed", "-1", "Seed must be empty, or a whole number within 0 and"),
        ("seed", "9" * 5000, "Seed must be empty, or a whole number within 0 and"),
        ("priority", "101", "Priority must be a whole number within -100 and 100, not “101”."),
        ("name", "x" * 201, "Name must be at most 200 characters, not “xxx"),
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
    link = re.search(r'href="(/new\?[^"]+)"', client.get(location).text)[1]

    page = client.get(html.unescape(link))

    assert value_of(page, "count") == "30"
    assert value_of(page, "eta") == "0.5"
    assert value_of(page, "seed") == "18446744073709551615"
    assert re.search(r'value="ddim" checked', page.text)
    assert re.search(r'value="posterior" checked', page.text)
    assert re.search(r'name="clip_x_0" value="true" checked', page.text)
    assert f'<option value="{bench.checkpoint}" selected>' in page.text
    assert "This seed makes the very faces" in page.text


def test_a_preset_fills_the_form(client, bench):
    presets = re.search(r'<nav class="presets".*?</nav>', client.get("/new").text, re.S)[0]
    quick = html.unescape(re.findall(r'href="([^"]+)"', presets)[1])

    page = client.get(quick)

    assert value_of(page, "num_inference_steps") == "50"
    assert re.search(r'value="ddim" checked', page.text)


def test_an_uploaded_checkpoint_is_listed_and_can_be_sampled(client, bench):
    content = bench.checkpoint_file("small.safetensors", width=3).read_bytes()

    answer = client.post(
        "/checkpoints", data={"file": (io.BytesIO(content), "small.safetensors"), "name": ""}
    )

    assert answer.status_code == 303
    page = client.get(answer.location)
    added = re.search(r'<tr id="(\w+)" class="added"', page.text)[1]
    assert bench.service.get_checkpoint(added).width == 3
    assert bench.service.get_checkpoint(added).name == "small"
    assert f'href="/new?checkpoint={added}"' in page.text


@pytest.mark.parametrize(
    ("data", "status", "words"),
    [
        ({}, 422, "Choose a file"),
        ({"file": (b"", "")}, 422, "Choose a file"),
        ({"file": (b"no checkpoint", "x.cpt")}, 422, ""),
        ({"file": (b"\x80\x02cos\nsystem\n(S'false'\ntR.", "x.cpt")}, 422, "bare pickle"),
        ({"file": (b"0" * 400_000, "x.cpt")}, 413, "The file is over the limit of 200.0 kB."),
    ],
)
def test_a_bad_upload_is_said_beside_the_field(client, bench, data, status, words):
    data = {name: (io.BytesIO(content), file) for name, (content, file) in data.items()}
    before = bench.service.list_checkpoints()

    page = client.post("/checkpoints", data={"name": "Mine"} | data)

    assert page.status_code == status
    assert words in field_error(page, "file")
    assert bench.service.list_checkpoints() == before


def test_a_login_page_asks_for_a_key_and_names_who_came_in(settings, redis_server):
    client = create_app(settings.model_copy(update={"api_keys": {"secret": "ada"}})).test_client()

    asked = client.get("/new")
    page = client.get(asked.location)
    wrong = client.post("/login", data={"key": "guess"})
    right = client.post("/login", data={"key": "secret"})

    assert asked.status_code == 303
    assert 'name="key"' in page.text
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]
    assert wrong.status_code == 403
    assert field_error(wrong, "key")
    assert field_error(page, "key") is None
    assert right.location == "/new"
    assert "as ada" in client.get("/new").text
    assert "Sign out ada" in client.get("/new").text
