import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from formats.errors import FormatError, PictureError, WrongDtypeError, WrongShapeError
from formats.face_picture import load_face_picture

FACE = np.random.default_rng(5).integers(0, 256, (48, 48), np.uint8)
GRAY = Image.fromarray(FACE)
DEEP = Image.fromarray(FACE.astype(np.uint16) * 257)


def png(image: Image.Image, **options: object) -> bytes:
    content = io.BytesIO()
    image.save(content, "PNG", **options)
    return content.getvalue()


def test_a_gray_png_of_a_faces_size_is_read_as_it_is() -> None:
    picture = load_face_picture(png(GRAY))

    assert (picture.dtype, picture.shape) == (np.uint8, (48, 48))
    np.testing.assert_array_equal(picture, FACE)


def test_a_mask_of_two_levels_is_a_picture_too() -> None:
    mask = np.zeros((48, 48), np.uint8)
    mask[:, :24] = 255

    np.testing.assert_array_equal(load_face_picture(png(Image.fromarray(mask))), mask)


def test_texts_and_what_follows_the_end_are_not_looked_at() -> None:
    info = PngImagePlugin.PngInfo()
    info.add_itxt("darkroom", "no JSON", zip=True)
    content = png(GRAY, pnginfo=info, dpi=(72, 72)) + b"PK\x03\x04 what somebody hid"

    np.testing.assert_array_equal(load_face_picture(content), FACE)


REFUSED = {
    "colour": (png(GRAY.convert("RGB")), WrongDtypeError, "RGB, 8 bits"),
    "gray with alpha": (png(GRAY.convert("LA")), WrongDtypeError, "gray with alpha"),
    "colour with alpha": (png(GRAY.convert("RGBA")), WrongDtypeError, "RGB with alpha"),
    "palette": (png(GRAY.convert("P")), WrongDtypeError, "a palette"),
    "black and white": (png(GRAY.convert("1")), WrongDtypeError, "gray, 1 bits"),
    "16 bits": (png(DEEP), WrongDtypeError, "gray, 16 bits"),
    "larger": (png(GRAY.resize((64, 48))), WrongShapeError, "64×48"),
    "smaller": (png(GRAY.resize((1, 1))), WrongShapeError, "1×1"),
    "larger and colour": (png(GRAY.resize((96, 96)).convert("RGB")), WrongShapeError, "96×96"),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_another_picture_is_refused_with_the_line_that_makes_it_one(
    case: tuple[bytes, type[FormatError], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, kind, found = case

    with pytest.raises(kind, match=found) as refused:
        load_face_picture(content)

    assert found in (refused.value.value or "")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "face.png").write_bytes(content)
    line = str(refused.value).split("`")[-2]
    exec(line, {"np": np, "Image": Image})
    assert load_face_picture((tmp_path / "gray.png").read_bytes()).shape == (48, 48)


def test_the_line_for_16_bits_keeps_the_gray_levels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(WrongDtypeError) as refused:
        load_face_picture(png(DEEP))

    monkeypatch.chdir(tmp_path)
    (tmp_path / "face.png").write_bytes(png(DEEP))
    exec(str(refused.value).split("`")[-2], {"np": np, "Image": Image})
    found = load_face_picture((tmp_path / "gray.png").read_bytes())
    np.testing.assert_array_equal(found, FACE)


def _promising(width: int, height: int) -> bytes:
    """A PNG whose first chunk promises this size, and nothing more."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    length, checksum = struct.pack(">I", 13), struct.pack(">I", zlib.crc32(chunk))
    return b"\x89PNG\r\n\x1a\n" + length + chunk + checksum


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", PictureError),
        (b"\xff\xd8\xff\xe0 a JPEG", PictureError),
        (png(GRAY)[:20], PictureError),
        (png(GRAY)[:400], PictureError),
        (png(GRAY).replace(b"IDAT", b"IDAX"), PictureError),
        (_promising(48, 48), PictureError),
        (_promising(2**31 - 1, 2**31 - 1), WrongShapeError),
    ],
    ids=["empty", "jpeg", "header", "truncated", "damaged", "no pixels", "bomb"],
)
def test_what_is_no_whole_png_is_refused(content: bytes, kind: type[FormatError]) -> None:
    with pytest.raises(kind):
        load_face_picture(content)
