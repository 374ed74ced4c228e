import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from formats.errors import (
    FormatError,
    PictureError,
    TooLargeError,
    WrongDtypeError,
    WrongShapeError,
)
from formats.pictures import collage, decode_png, encode_png, read_png_parameters

FACE = np.random.default_rng(5).integers(0, 256, (48, 48), np.uint8)
PARAMETERS = {"kind": "sample", "seed": 2**63, "eta": 0.5, "name": "Nacht 🌒", "steps": [1, 2]}


@pytest.mark.parametrize("shape", [(48, 48), (1, 1), (480, 480), (3, 70)])
def test_a_picture_survives_png(shape: tuple[int, int]) -> None:
    picture = np.resize(FACE, shape)

    np.testing.assert_array_equal(decode_png(encode_png(picture)), picture)


def test_parameters_travel_with_the_picture() -> None:
    content = encode_png(FACE, PARAMETERS)

    assert read_png_parameters(content) == PARAMETERS
    np.testing.assert_array_equal(decode_png(content), FACE)
    assert content == encode_png(FACE.copy(), dict(reversed(PARAMETERS.items())))


def test_a_picture_without_parameters_has_none() -> None:
    assert read_png_parameters(encode_png(FACE)) is None


@pytest.mark.parametrize("parameters", [{"a": float("nan")}, {"a": {1}}])
def test_parameters_that_are_no_json_are_refused(parameters: dict[str, object]) -> None:
    with pytest.raises(PictureError, match="not JSON"):
        encode_png(FACE, parameters)


@pytest.mark.parametrize(
    ("picture", "error", "words"),
    [
        (FACE.astype(np.float32), WrongDtypeError, "float32; it must be uint8"),
        (FACE[None], WrongShapeError, r"\(1, 48, 48\)"),
        (FACE[:0], WrongShapeError, r"\(0, 48\)"),
        (Image.new("RGB", (2, 2)), WrongDtypeError, "mode is RGB"),
    ],
    ids=["float", "three axes", "empty", "colour"],
)
def test_what_is_no_gray_picture_is_not_encoded(
    picture: np.ndarray | Image.Image, error: type[FormatError], words: str
) -> None:
    with pytest.raises(error, match=words):
        encode_png(picture)


def _png_of(image: Image.Image, kind: str = "PNG") -> bytes:
    content = io.BytesIO()
    image.save(content, kind)
    return content.getvalue()


def _header_of_size(width: int, height: int) -> bytes:
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    )


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        (b"", PictureError, "not a PNG"),
        (b"hello", PictureError, "not a PNG"),
        (_png_of(Image.new("L", (4, 4)), "GIF"), PictureError, "not a PNG"),
        (_png_of(Image.new("RGB", (4, 4))), PictureError, "mode is RGB"),
        (encode_png(FACE)[:500], PictureError, "damaged"),
        (_header_of_size(6000, 6000), TooLargeError, "6000×6000"),
        (_header_of_size(10_000, 10_000), TooLargeError, "pixels"),
        (_header_of_size(2**31 - 1, 2**31 - 1), TooLargeError, "pixels"),
        (_header_of_size(4, 4), PictureError, "damaged"),
        (_header_of_size(4, 4)[:20], PictureError, "not a PNG"),
    ],
    ids=[
        "empty",
        "text",
        "gif",
        "colour",
        "truncated",
        "large",
        "larger",
        "bomb",
        "no pixels",
        "no size",
    ],
)
def test_what_is_no_gray_png_is_not_decoded(
    content: bytes, error: type[FormatError], words: str
) -> None:
    with pytest.raises(error, match=words):
        decode_png(content)


def test_a_hundred_faces_are_480_pixels_square_without_gaps() -> None:
    faces = np.random.default_rng(6).integers(1, 256, (100, 48, 48), np.uint8)

    picture = collage(faces, 10)

    assert (picture.mode, picture.size) == ("L", (480, 480))
    pixels = np.asarray(picture)
    for index, face in enumerate(faces):
        row, column = divmod(index, 10)
        cell = pixels[row * 48 : row * 48 + 48, column * 48 : column * 48 + 48]
        np.testing.assert_array_equal(cell, face)


@given(st.integers(1, 30), st.integers(1, 12), st.integers(1, 5), st.integers(1, 5))
def test_the_rest_of_the_last_row_is_black(
    count: int, columns: int, height: int, width: int
) -> None:
    pixels = np.asarray(collage(np.full((count, height, width), 255, np.uint8), columns))

    assert pixels.shape == (-(-count // columns) * height, columns * width)
    assert np.count_nonzero(pixels) == count * height * width
    empty = -count % columns
    assert not pixels[-height:, pixels.shape[1] - empty * width :].any()


@pytest.mark.parametrize(
    ("images", "columns", "error"),
    [
        (FACE, 1, WrongShapeError),
        (FACE[None][:0], 1, WrongShapeError),
        (FACE[None], 0, WrongShapeError),
        (FACE[None].astype(np.int64), 1, WrongDtypeError),
    ],
)
def test_what_cannot_be_laid_out_is_refused(
    images: np.ndarray, columns: int, error: type[FormatError]
) -> None:
    with pytest.raises(error):
        collage(images, columns)
