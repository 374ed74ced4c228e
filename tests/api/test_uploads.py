import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image, PngImagePlugin

from darkroom.web import create_app
from formats.pictures import decode_png
from jobs.settings import WebSettings

URL = "/api/v1/uploads"
FACE = np.random.default_rng(5).integers(0, 256, (48, 48), np.uint8)


def png(image: Image.Image, **options: object) -> bytes:
    content = io.BytesIO()
    image.save(content, "PNG", **options)
    return content.getvalue()


GRAY = Image.fromarray(FACE)


def post(client: FlaskClient, content: bytes, **fields: str) -> Any:
    form = {"file": (io.BytesIO(content), "Ada.png"), **fields}
    return client.post(URL, data=form, content_type="multipart/form-data")


def kept(settings: WebSettings) -> list[Path]:
    return list((Path(settings.artifacts_url) / "uploads").rglob("*"))


def test_a_face_is_kept_described_and_listed(client: FlaskClient) -> None:
    answer = post(client, png(GRAY))

    assert answer.status_code == 201, answer.text
    upload = answer.json
    assert answer.headers["Location"] == upload["links"]["self"] == f"{URL}/{upload['id']}"
    assert (upload["name"], upload["width"], upload["height"]) == ("Ada", 48, 48)
    assert upload["id"] == upload["sha256"][:16]
    assert client.get(upload["links"]["self"]).json == upload
    other = post(client, png(Image.new("L", (48, 48), 255)), name="All of it").json
    assert [each["name"] for each in client.get(URL).json["items"]] == ["All of it", "Ada"]
    assert other["id"] != upload["id"]


def test_nothing_but_the_pixels_survives(client: FlaskClient) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Author", "a private name")
    content = png(GRAY, pnginfo=info, exif=b"Exif\0\0private", dpi=(300, 300)) + b"private"

    upload = post(client, content).json
    answer = client.get(upload["links"]["file"])

    assert answer.mimetype == "image/png"
    assert np.array_equal(decode_png(answer.data), FACE)
    assert b"private" not in answer.data
    assert answer.data.endswith(b"IEND\xaeB`\x82")
    assert len(answer.data) == upload["size_bytes"]
    with Image.open(io.BytesIO(answer.data)) as image:
        assert image.info == {}


def test_the_same_pixels_are_kept_once(client: FlaskClient, web_settings: WebSettings) -> None:
    first = post(client, png(GRAY))
    second = post(client, png(GRAY, compress_level=0), name="again")

    assert first.json == second.json
    assert len(client.get(URL).json["items"]) == len(kept(web_settings)) == 1


def test_the_file_never_changes(client: FlaskClient) -> None:
    upload = post(client, png(GRAY)).json

    answer = client.get(upload["links"]["file"])
    known = {"If-None-Match": answer.headers["ETag"]}
    unchanged = client.get(upload["links"]["file"], headers=known)

    assert answer.headers["ETag"] == f'"{upload["sha256"]}"'
    assert "immutable" in answer.headers["Cache-Control"]
    assert (unchanged.status_code, unchanged.data) == (304, b"")


def test_a_bare_body_is_taken_with_its_name_in_the_query(client: FlaskClient) -> None:
    answer = client.post(f"{URL}?name=A mask", data=png(GRAY), content_type="image/png")

    assert (answer.status_code, answer.json["name"]) == (201, "A mask")
    assert client.post(URL, data=png(GRAY), content_type="image/png").json == answer.json


@pytest.mark.parametrize(
    ("content", "reason", "words"),
    [
        (png(GRAY.convert("RGB")), "wrong_dtype", '.convert("L")'),
        (png(GRAY.convert("LA")), "wrong_dtype", "gray with alpha"),
        (png(GRAY.convert("I;16")), "wrong_dtype", "// 256"),
        (png(GRAY.resize((64, 64))), "wrong_shape", "resize((48, 48)"),
        (png(GRAY)[:500], "bad_picture", "damaged"),
        (b"GIF89a", "bad_picture", "not a PNG"),
        (b"", "bad_picture", "not a PNG"),
    ],
    ids=["colour", "alpha", "16 bits", "size", "damaged", "gif", "empty"],
)
@pytest.mark.parametrize("is_form", [True, False])
def test_what_is_no_face_is_refused_with_what_to_do_and_nothing_is_kept(
    client: FlaskClient,
    web_settings: WebSettings,
    content: bytes,
    reason: str,
    words: str,
    is_form: bool,
) -> None:
    if is_form:
        answer = post(client, content)
    else:
        answer = client.post(URL, data=content, content_type="image/png")

    assert (answer.status_code, answer.mimetype) == (422, "application/problem+json")
    assert (answer.json["code"], answer.json["details"]) == ("upload_rejected", {"reason": reason})
    (error,) = answer.json["errors"]
    assert error["field"] == "file"
    assert words in error["message"]
    assert "48×48" in error["allowed"]
    assert kept(web_settings) == client.get(URL).json["items"] == []


@pytest.mark.parametrize("is_form", [True, False])
@pytest.mark.parametrize("is_chunked", [True, False])
def test_an_upload_over_the_limit_is_413(
    web_settings: WebSettings, is_form: bool, is_chunked: bool
) -> None:
    settings = web_settings.model_copy(update={"max_upload_bytes": 1024})
    content = png(GRAY) + bytes(70_000)
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
    body = head + content + b"\r\n--x--\r\n" if is_form else content

    answer = (
        create_app(settings)
        .test_client()
        .post(
            URL,
            input_stream=io.BytesIO(body),
            content_type="multipart/form-data; boundary=x" if is_form else "image/png",
            content_length=None if is_chunked else len(body),
            environ_overrides={"wsgi.input_terminated": is_chunked},
        )
    )

    assert (answer.status_code, answer.json["code"]) == (413, "upload_too_large")
    assert kept(web_settings) == []


def test_a_form_without_a_file_another_type_and_an_unknown_id_are_said(
    client: FlaskClient,
) -> None:
    no_file = client.post(URL, data={"name": "x"}, content_type="multipart/form-data")
    jpeg = client.post(URL, data=b"\xff\xd8", content_type="image/jpeg")

    assert (no_file.status_code, no_file.json["errors"][0]["field"]) == (422, "file")
    assert (jpeg.status_code, jpeg.json["code"]) == (415, "unsupported_media_type")
    for path in ("nothing", "nothing/file"):
        answer = client.get(f"{URL}/{path}")
        assert (answer.status_code, answer.json["code"]) == (404, "upload_not_found")
