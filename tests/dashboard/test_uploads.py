"""The form that uploads a checkpoint, and the login, without script."""

import html
import io
import re

import pytest

from darkroom.web import create_app


def field_error(page, name):
    """The error beside a field, or None."""
    found = re.search(rf'id="error-{name}"[^>]*>([^<]+)<', page.text)
    return found and html.unescape(found[1])


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
    assert f'href="/new?kind=sample&amp;checkpoint={added}"' in page.text


@pytest.mark.parametrize(("typed", "kept"), [("My\0 faces", "My faces"), ("\0", "odd")])
def test_the_name_of_an_upload_is_kept_without_nul(client, bench, typed, kept):
    content = bench.checkpoint_file("odd.safetensors", width=3).read_bytes()

    client.post("/checkpoints", data={"file": (io.BytesIO(content), "odd.cpt"), "name": typed})

    assert kept in [each.name for each in bench.service.list_checkpoints()]


@pytest.mark.parametrize(
    ("data", "status", "words"),
    [
        ({}, 422, "Choose a file"),
        ({"file": (b"", "")}, 422, "Choose a file"),
        ({"file": (b"no checkpoint", "x.cpt")}, 422, ""),
        ({"file": (b"\x80\x02cos\nsystem\n(S'false'\ntR.", "x.cpt")}, 422, "bare pickle"),
        ({"file": (b"0" * 400_000, "x.cpt")}, 413, "The upload is over the limit of 200.0 kB."),
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
