import gzip
import io
import struct
import tracemalloc
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from flask.testing import FlaskClient
from PIL import Image

from darkroom.web import create_app
from jobs import import_turns
from jobs.settings import WebSettings

URL = "/api/v1/datasets"
LIMIT = 100_000
FACES = np.random.default_rng(5).integers(0, 256, (12, 48, 48), np.uint8)
AGES = np.array([3, 18, 18, 25, 40, 41, 60, 80, 99, 100, -1, 130])

Array = npt.NDArray[Any]


def npy(array: Array) -> bytes:
    content = io.BytesIO()
    np.save(content, array)
    return content.getvalue()


def upload(
    client: FlaskClient, faces: Array | bytes, ages: Array | bytes | None = None, **fields: str
) -> Any:
    form: dict[str, Any] = dict(fields)
    for name, array in (("faces", faces), ("ages", ages)):
        if array is not None:
            content = array if isinstance(array, bytes) else npy(array)
            form[name] = (io.BytesIO(content), f"{name}.npy")
    return client.post(URL, data=form, content_type="multipart/form-data")


def kept(settings: WebSettings) -> list[Path]:
    return [path for path in (Path(settings.artifacts_url) / "datasets").rglob("*.npy")]


def test_more_imports_than_may_go_on_at_a_time_are_refused(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_turns, "PATIENCE_SECONDS", 0.05)
    with ExitStack() as turns:
        for _ in range(import_turns.AT_ONCE):
            turns.enter_context(import_turns.import_turn())
        busy = upload(client, FACES)

    assert (busy.status_code, busy.json["code"]) == (503, "imports_busy")
    assert busy.headers["Retry-After"]
    for _ in range(import_turns.AT_ONCE + 1):  # what is refused gives its turn back too
        assert upload(client, b"no array").status_code == 422
    assert upload(client, FACES).status_code == 201


def test_faces_with_ages_are_kept_and_described(client: FlaskClient) -> None:
    answer = upload(client, FACES, AGES, name="Twelve")

    assert answer.status_code == 201, answer.text
    dataset = answer.json
    assert answer.headers["Location"] == dataset["links"]["self"] == f"{URL}/{dataset['id']}"
    assert (dataset["name"], dataset["count"], dataset["aged_count"]) == ("Twelve", 12, 10)
    assert (dataset["missing_ages"], dataset["wrong_ages"]) == (1, 1)
    assert dataset["age_histogram"] == [1, 2, 1, 0, 2, 0, 1, 0, 1, 2]
    scaled = FACES / 127.5 - 1
    assert dataset["pixel_mean"] == pytest.approx(scaled.mean(), abs=1e-5)
    assert dataset["pixel_deviation"] == pytest.approx(scaled.std(), abs=1e-5)
    assert client.get(dataset["links"]["self"]).json == dataset
    listed = client.get(URL).json["items"]
    assert [each["id"] for each in listed] == ["synthetic", dataset["id"]]


def test_faces_alone_are_enough_and_the_file_gives_the_name(client: FlaskClient) -> None:
    form = {"faces": (io.BytesIO(gzip.compress(npy(FACES))), "data/celebs.npy.gz")}

    answer = client.post(URL, data=form)

    assert (answer.status_code, answer.json["name"]) == (201, "celebs")
    assert (answer.json["aged_count"], answer.json["age_histogram"]) == (0, [])


def test_ages_may_all_be_missing(client: FlaskClient) -> None:
    answer = upload(client, FACES, np.full(12, -1))

    assert (answer.status_code, answer.json["missing_ages"]) == (201, 12)


def test_the_same_faces_are_kept_once(client: FlaskClient, web_settings: WebSettings) -> None:
    first, again = (upload(client, FACES, name=name) for name in ("one", "two"))

    assert first.json == again.json
    assert len(kept(web_settings)) == 1


@pytest.mark.parametrize("is_kept", [True, False])
def test_a_contact_sheet_is_a_picture_with_an_etag(client: FlaskClient, is_kept: bool) -> None:
    dataset = upload(client, FACES, AGES).json["id"] if is_kept else "synthetic"
    url = client.get(f"{URL}/{dataset}").json["links"]["contact_sheet"]

    answer = client.get(url)
    unchanged = client.get(url, headers={"If-None-Match": answer.headers["ETag"]})

    assert answer.status_code == 200
    assert ("immutable" in answer.headers["Cache-Control"]) == is_kept
    assert (unchanged.status_code, unchanged.data) == (304, b"")
    with Image.open(io.BytesIO(answer.data)) as sheet:
        assert sheet.size == ((480, 48) if is_kept else (480, 480))
        if is_kept:  # by age, the faces of unknown age left out
            assert np.array_equal(np.asarray(sheet)[:, :48], FACES[0])


def test_an_unknown_dataset_is_404(client: FlaskClient) -> None:
    for path in ("nothing", "nothing/contact-sheet.png"):
        answer = client.get(f"{URL}/{path}")
        assert (answer.status_code, answer.json["code"]) == (404, "dataset_not_found")


COLOR = np.zeros((4, 48, 48, 3), np.uint8)
REJECTED = [
    ("faces", COLOR, None, "wrong_shape", "faces[..., :3] @ [0.299, 0.587, 0.114]"),
    ("faces", np.moveaxis(COLOR, -1, 1), None, "wrong_shape", "np.moveaxis(faces, 1, -1)"),
    ("faces", FACES[:, None], None, "wrong_shape", "faces.reshape(-1, 48, 48)"),
    ("faces", FACES.reshape(12, -1), None, "wrong_shape", "faces.reshape(-1, 48, 48)"),
    ("faces", np.zeros((4, 64, 64), np.uint8), None, "wrong_shape", ".resize((48, 48)"),
    ("faces", FACES / 255, None, "wrong_dtype", "np.rint(faces * 255).astype(np.uint8)"),
    ("faces", FACES.astype(int), None, "wrong_dtype", "faces.astype(np.uint8)"),
    ("faces", FACES[:1], None, "too_few", "at least 2"),
    ("faces", FACES[:0], None, "wrong_shape", "N at least 1"),
    ("faces", np.full((3, 48, 48), 9, np.uint8), None, "constant_faces", "np.ptp"),
    ("faces", b"\x89PNG", None, "not_an_array", ".npy"),
    ("faces", npy(FACES)[:-9], None, "truncated_array", "are there"),
    ("faces", gzip.compress(npy(FACES))[:-9], None, "truncated_gzip", "not whole"),
    ("ages", FACES, AGES[:-1], "length_mismatch", "12 faces and 11 ages"),
    ("ages", FACES, AGES.astype(str), "wrong_dtype", "astype(np.float64)"),
    ("ages", FACES, AGES[:, None], "wrong_shape", "(N,)"),
    ("ages", FACES, np.where(AGES < 0, np.nan, AGES), "out_of_range", "np.nan_to_num"),
]


@pytest.mark.parametrize("rejected", REJECTED)
def test_what_is_no_dataset_is_refused_with_what_to_do_and_nothing_is_kept(
    client: FlaskClient,
    web_settings: WebSettings,
    rejected: tuple[str, Array | bytes, Array | None, str, str],
) -> None:
    field, faces, ages, reason, words = rejected

    answer = upload(client, faces, ages)

    assert (answer.status_code, answer.mimetype) == (422, "application/problem+json")
    assert (answer.json["code"], answer.json["details"]) == ("dataset_rejected", {"reason": reason})
    (error,) = answer.json["errors"]
    assert error["field"] == field
    assert words in error["message"]
    assert "uint8 (N, 48, 48)" in error["allowed"] or "one age per face" in error["allowed"]
    assert kept(web_settings) == []
    assert len(client.get(URL).json["items"]) == 1


@pytest.mark.parametrize(
    "faces",
    [COLOR, np.moveaxis(COLOR, -1, 1), FACES[:, None], FACES.reshape(12, -1), FACES / 255],
)
def test_the_line_that_a_message_gives_makes_faces(client: FlaskClient, faces: Array) -> None:
    faces = np.where(faces == 0, np.arange(faces.shape[-1]), faces).astype(faces.dtype)
    message = upload(client, faces).json["errors"][0]["message"]
    names = {"np": np, "faces": faces}

    exec(message.split("`")[1], names)

    assert names["faces"].shape == (len(faces), 48, 48)
    assert names["faces"].dtype == np.uint8


def test_objects_are_never_loaded(client: FlaskClient) -> None:
    content = io.BytesIO()
    np.save(content, np.array([{"an": "object"}], dtype=object), allow_pickle=True)

    answer = upload(client, content.getvalue())

    assert (answer.status_code, answer.json["details"]["reason"]) == (422, "object_array")


@pytest.fixture
def small_client(web_settings: WebSettings) -> FlaskClient:
    """A client of an application that takes LIMIT bytes."""
    return create_app(web_settings.model_copy(update={"max_upload_bytes": LIMIT})).test_client()


class Unread(io.RawIOBase):
    """A body that must not be read."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        raise AssertionError("the body was read")


def test_two_gigabytes_are_refused_before_they_are_read(small_client: FlaskClient) -> None:
    answer = small_client.post(
        URL,
        content_type="multipart/form-data; boundary=x",
        environ_overrides={"wsgi.input": Unread(), "CONTENT_LENGTH": str(2 * 2**30)},
    )

    assert (answer.status_code, answer.json["code"]) == (413, "upload_too_large")
    assert answer.json["details"] == {"max_upload_bytes": LIMIT}


@pytest.mark.parametrize("is_chunked", [False, True])
def test_an_upload_over_the_limit_is_413_and_nothing_is_kept(
    small_client: FlaskClient, web_settings: WebSettings, is_chunked: bool
) -> None:
    content = npy(np.zeros((100, 48, 48), np.uint8))
    head = b'--x\r\nContent-Disposition: form-data; name="faces"; filename="faces.npy"\r\n\r\n'
    answer = small_client.post(
        URL,
        input_stream=io.BytesIO(head + content + b"\r\n--x--\r\n"),
        content_type="multipart/form-data; boundary=x",
        content_length=None if is_chunked else len(head + content) + 9,
        environ_overrides={"wsgi.input_terminated": is_chunked},
    )

    assert (answer.status_code, answer.json["code"]) == (413, "upload_too_large")
    assert kept(web_settings) == []


def test_faces_and_ages_share_the_limit(small_client: FlaskClient) -> None:
    faces = np.random.default_rng(0).integers(0, 256, (40, 48, 48), np.uint8)

    assert upload(small_client, faces).status_code == 201
    assert upload(small_client, faces, np.zeros(2000)).status_code == 413


def test_a_small_file_that_unpacks_to_gigabytes_is_refused_before_it_is_unpacked(
    client: FlaskClient,
) -> None:
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({2**31 // 2304}, 48, 48)}}"
    start = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode()
    bomb = gzip.compress(start + bytes(2**24))
    tracemalloc.start()

    answer = upload(client, bomb)

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (answer.status_code, answer.json["details"]["reason"]) == (422, "too_large")
    assert answer.json["errors"][0]["value"].endswith("bytes")
    assert peak < 2**24


def test_a_form_without_faces_says_so(client: FlaskClient) -> None:
    answer = client.post(URL, data={"name": "x"}, content_type="multipart/form-data")

    assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, "faces")


def test_a_name_that_is_too_long_is_refused(client: FlaskClient) -> None:
    answer = upload(client, FACES, name="x" * 201)

    assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, "name")


def test_another_content_type_is_415(client: FlaskClient) -> None:
    answer = client.post(URL, data=npy(FACES), content_type="application/octet-stream")

    assert (answer.status_code, answer.json["code"]) == (415, "unsupported_media_type")
