import gzip
import hashlib
import io
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from flask.testing import FlaskClient

from darkroom.web import create_app
from formats.architectures import unet_shapes
from formats.checkpoint import sha256_of
from jobs.artifacts import checkpoint_path
from jobs.library import BUNDLED_CHECKPOINTS, BUNDLED_FOLDER
from jobs.settings import WebSettings

URL = "/api/v1/checkpoints"
OCTETS = "application/octet-stream"
LIMIT = 4096


def _course_checkpoint(change: Callable[[OrderedDict[str, torch.Tensor]], None]) -> bytes:
    random = torch.Generator().manual_seed(7)
    tensors = OrderedDict(
        (name, torch.randn(shape, generator=random)) for name, shape in unet_shapes(2).items()
    )
    change(tensors)
    content = io.BytesIO()
    torch.save(tensors, content)
    return content.getvalue()


def _kept(settings: WebSettings) -> list[Path]:
    """What the store holds beside the bundled checkpoints."""
    files = (BUNDLED_FOLDER / each.file for each in BUNDLED_CHECKPOINTS)
    root = Path(settings.artifacts_url)
    bundled = {root / checkpoint_path(sha256_of(file)) for file in files if file.exists()}
    return [path for path in root.rglob("*") if path.is_file() and path not in bundled]


def _listed(client: FlaskClient) -> list[dict[str, object]]:
    """What is listed beside the bundled checkpoints."""
    bundled = [each.id for each in BUNDLED_CHECKPOINTS]
    return [each for each in client.get(URL).json["items"] if each["id"] not in bundled]


def test_a_course_checkpoint_is_imported_and_kept_as_safetensors(
    client: FlaskClient, web_settings: WebSettings
) -> None:
    content = _course_checkpoint(lambda tensors: None)

    answer = client.post(URL, data={"file": (io.BytesIO(content), "diff_unet_faces.cpt")})

    assert answer.status_code == 201, answer.text
    checkpoint = answer.json
    assert (checkpoint["name"], checkpoint["width"]) == ("diff_unet_faces", 2)
    assert answer.headers["Location"] == checkpoint["links"]["self"] == f"{URL}/{checkpoint['id']}"
    (file,) = _kept(web_settings)
    assert file.suffix == ".safetensors"
    assert hashlib.sha256(file.read_bytes()).hexdigest() == checkpoint["sha256"]
    assert client.get(checkpoint["links"]["self"]).json == checkpoint
    assert _listed(client) == [checkpoint]


def test_a_raw_body_with_a_name_is_imported(client: FlaskClient, native_file: Path) -> None:
    content = native_file.read_bytes()

    answer = client.post(f"{URL}?name=Small faces", data=content, content_type=OCTETS)

    assert (answer.status_code, answer.json["name"]) == (201, "Small faces")


def test_a_form_can_name_its_file(client: FlaskClient, native_file: Path) -> None:
    form = {"file": (io.BytesIO(native_file.read_bytes()), "C:\\x.cpt"), "name": "Ours"}

    assert client.post(URL, data=form).json["name"] == "Ours"


def test_the_same_checkpoint_is_kept_once(
    client: FlaskClient, native_file: Path, web_settings: WebSettings
) -> None:
    content = native_file.read_bytes()

    first, again = (client.post(URL, data=content, content_type=OCTETS) for _ in range(2))

    assert first.json["id"] == again.json["id"]
    assert len(_listed(client)) == len(_kept(web_settings)) == 1


def test_an_unknown_checkpoint_is_404(client: FlaskClient) -> None:
    answer = client.get(f"{URL}/nothing")

    assert (answer.status_code, answer.json["code"]) == (404, "checkpoint_not_found")


class _Attack:
    """Writes a file when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (self.path, "w")


def _npy_with_objects(_folder: Path) -> bytes:
    content = io.BytesIO()
    np.save(content, np.array([{"an": "object"}], dtype=object), allow_pickle=True)
    return content.getvalue()


def _pickle_with_code(folder: Path) -> bytes:
    return pickle.dumps(_Attack(str(folder / "was_executed")))


def _cpt_with_code(folder: Path) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("archive/data.pkl", _pickle_with_code(folder))
        archive.writestr("archive/version", "3\n")
    return content.getvalue()


def _truncated(_folder: Path) -> bytes:
    content = _course_checkpoint(lambda tensors: None)
    return content[: len(content) // 2]


def _wrong_shape(_folder: Path) -> bytes:
    def change(tensors: OrderedDict[str, torch.Tensor]) -> None:
        tensors["conv_last.weight"] = torch.zeros(3, 2, 1, 1)

    return _course_checkpoint(change)


def _missing_tensor(_folder: Path) -> bytes:
    return _course_checkpoint(lambda tensors: tensors.pop("conv_last.bias") and None)


def _nan(_folder: Path) -> bytes:
    return _course_checkpoint(
        lambda tensors: tensors["conv_last.bias"].fill_(float("nan")) and None
    )


def _truncated_gzip(_folder: Path) -> bytes:
    return gzip.compress(b"x" * 1000)[:-9]


def _empty(_folder: Path) -> bytes:
    return b""


NO_CHECKPOINTS = [
    _npy_with_objects,
    _pickle_with_code,
    _cpt_with_code,
    _truncated,
    _wrong_shape,
    _missing_tensor,
    _nan,
    _truncated_gzip,
    _empty,
]


@pytest.mark.parametrize("make", NO_CHECKPOINTS)
def test_what_is_no_checkpoint_is_refused_and_nothing_is_kept(
    client: FlaskClient,
    web_settings: WebSettings,
    tmp_path: Path,
    make: Callable[[Path], bytes],
) -> None:
    answer = client.post(URL, data=make(tmp_path), content_type=OCTETS)

    assert (answer.status_code, answer.mimetype) == (422, "application/problem+json")
    assert answer.json["code"] == "checkpoint_rejected"
    assert answer.json["details"]["reason"]
    assert not (tmp_path / "was_executed").exists()
    assert _kept(web_settings) == []
    assert _listed(client) == []


@pytest.fixture
def small_client(web_settings: WebSettings) -> FlaskClient:
    """A client of an application that takes LIMIT bytes."""
    return create_app(web_settings.model_copy(update={"max_upload_bytes": LIMIT})).test_client()


@pytest.mark.parametrize("size", [LIMIT + 1, LIMIT + 100_000])
@pytest.mark.parametrize("as_form", [True, False])
def test_an_upload_over_the_limit_is_413_and_nothing_is_kept(
    small_client: FlaskClient, web_settings: WebSettings, size: int, as_form: bool
) -> None:
    content = b"\x00" * size
    if as_form:
        answer = small_client.post(URL, data={"file": (io.BytesIO(content), "big.cpt")})
    else:
        answer = small_client.post(URL, data=content, content_type=OCTETS)

    assert (answer.status_code, answer.json["code"]) == (413, "upload_too_large")
    assert str(LIMIT) in answer.json["detail"]
    assert _kept(web_settings) == []


def test_a_length_that_was_not_told_is_counted_while_it_is_read(small_client: FlaskClient) -> None:
    answer = small_client.post(
        URL,
        input_stream=io.BytesIO(b"\x00" * (LIMIT + 1)),
        content_type=OCTETS,
        environ_overrides={"wsgi.input_terminated": True},
    )

    assert (answer.status_code, answer.json["code"]) == (413, "upload_too_large")


def test_an_upload_at_the_limit_is_looked_at(small_client: FlaskClient) -> None:
    answer = small_client.post(URL, data=b"\x00" * LIMIT, content_type=OCTETS)

    assert answer.json["code"] == "checkpoint_rejected"


def test_another_content_type_is_415(client: FlaskClient) -> None:
    answer = client.post(URL, json={"file": "x"})

    assert (answer.status_code, answer.json["code"]) == (415, "unsupported_media_type")


def test_a_form_without_a_file_says_so(client: FlaskClient) -> None:
    answer = client.post(URL, data={"name": "x"}, content_type="multipart/form-data")

    assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, "file")


def test_a_name_that_is_too_long_is_refused(client: FlaskClient, native_file: Path) -> None:
    content = native_file.read_bytes()

    answer = client.post(f"{URL}?name={'x' * 201}", data=content, content_type=OCTETS)

    assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, "name")
    assert _listed(client) == []
