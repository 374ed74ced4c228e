"""Gray pictures: PNG that carries its parameters, and collages."""

import io
import json
import struct
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, PngImagePlugin

from formats.errors import (
    FormatError,
    PictureError,
    TooLargeError,
    WrongDtypeError,
    WrongShapeError,
)
from formats.xmp import XMP_KEY, SourceType, xmp_packet

PARAMETERS_KEY = "darkroom"  # of the PNG's iTXt chunk
MAX_PIXELS = 32 * 2**20  # the collage of 10,000 faces has 23 million
_PNG_START = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"  # the signature and the first chunk's head
_HEADER = struct.Struct(">IIBB")  # width and height in pixels, bits of a channel, colour type
_DAMAGES = (  # what Pillow raises for a damaged PNG, beside OSError
    *(SyntaxError, ValueError, EOFError, OverflowError, KeyError, IndexError, TypeError),
    *(struct.error, zlib.error),
)

Gray = npt.NDArray[np.uint8]


class PngHeader(NamedTuple):
    """What a PNG's first chunk promises; sizes in pixels, bits of one channel."""

    width: int
    height: int
    bit_depth: int
    colour_type: int


def encode_png(
    picture: Gray | Image.Image,
    parameters: Mapping[str, Any] | None = None,
    source: SourceType | None = None,
) -> bytes:
    """Give a gray picture as PNG; the same picture and parameters give the same bytes.

    Args:
        picture: uint8 (H, W), or a Pillow image of mode "L".
        parameters: what made it, kept as JSON in an iTXt chunk.
        source: marks it as synthetic media, by an XMP packet; None marks nothing.

    Raises:
        WrongShapeError: it has not two axes, or one is empty.
        WrongDtypeError: it is not uint8 or mode "L".
        PictureError: the parameters are not JSON.
    """
    info = PngImagePlugin.PngInfo()
    if source is not None:
        info.add_itxt(XMP_KEY, xmp_packet(source))
    if parameters is not None:
        try:
            text = json.dumps(parameters, sort_keys=True, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            raise PictureError(f"the parameters are not JSON: {error}") from error
        info.add_itxt(PARAMETERS_KEY, text)
    content = io.BytesIO()
    _to_image(picture).save(content, "PNG", pnginfo=info)
    return content.getvalue()


def decode_png(content: bytes) -> Gray:
    """Read a gray PNG: uint8 (H, W).

    Raises:
        PictureError: it is not a PNG, damaged, or not gray with 8 bits.
        TooLargeError: it has more than MAX_PIXELS pixels.
    """
    with _open_png(content) as image:
        if image.mode != "L":
            raise PictureError(f"the PNG's mode is {image.mode}; it must be L, 8 bits of gray")
        return np.array(image)


def read_png_parameters(content: bytes) -> dict[str, Any] | None:
    """Read the parameters that encode_png put into a PNG, or None where there are none.

    Raises:
        PictureError: it is not a PNG, damaged, or its parameters are not a JSON object.
        TooLargeError: it has more than MAX_PIXELS pixels.
    """
    with _open_png(content) as image:
        text = image.text.get(PARAMETERS_KEY)
    if text is None:
        return None
    try:
        parameters = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise PictureError(f"the PNG's parameters are not JSON: {error}") from error
    if not isinstance(parameters, dict):
        raise PictureError("the PNG's parameters must be a JSON object")
    return parameters


def png_header(content: bytes) -> PngHeader:
    """Read what a PNG promises of itself; nothing is decoded.

    Raises:
        PictureError: it is not a PNG.
    """
    if not content.startswith(_PNG_START) or len(content) < len(_PNG_START) + _HEADER.size:
        raise PictureError(f"content that begins with {content[:8]!r} is not a PNG")
    return PngHeader(*_HEADER.unpack_from(content, len(_PNG_START)))


def collage(images: npt.NDArray[np.uint8], columns: int) -> Image.Image:
    """Lay pictures side by side without gaps, row by row; what is left of the last row is black.

    Args:
        images: uint8 (n, h, w), n at least 1.
        columns: pictures per row, at least 1.

    Returns:
        Mode "L", columns · w wide and ⌈n / columns⌉ · h high: ten columns of a hundred
        48-pixel faces give 480×480.

    Raises:
        WrongShapeError: images has not three axes, or one is empty, or columns is below 1.
        WrongDtypeError: images is not uint8.
    """
    if images.dtype != np.uint8:
        raise WrongDtypeError(f"pictures are {images.dtype}; they must be uint8")
    if images.ndim != len("nhw") or 0 in images.shape or columns < 1:
        raise WrongShapeError(
            f"pictures of the shape {images.shape} in {columns} columns; "
            "the shape must be (n, h, w) without a 0, and columns at least 1"
        )
    count, height, width = images.shape
    rows = -(-count // columns)
    cells = np.zeros((rows * columns, height, width), np.uint8)
    cells[:count] = images
    grid = cells.reshape(rows, columns, height, width).swapaxes(1, 2)
    return Image.fromarray(grid.reshape(rows * height, columns * width))


def _to_image(picture: Gray | Image.Image) -> Image.Image:
    if isinstance(picture, Image.Image):
        if picture.mode != "L":
            raise WrongDtypeError(f"the picture's mode is {picture.mode}; it must be L")
        return picture
    if picture.dtype != np.uint8:
        raise WrongDtypeError(f"the picture is {picture.dtype}; it must be uint8")
    if picture.ndim != len("hw") or 0 in picture.shape:
        raise WrongShapeError(f"the picture has the shape {picture.shape}; it must be (H, W)")
    return Image.fromarray(picture)


@contextmanager
def _open_png(content: bytes) -> Iterator[PngImagePlugin.PngImageFile]:
    _check_pixels(content)
    try:
        with PngImagePlugin.PngImageFile(io.BytesIO(content)) as image:
            yield image
    except FormatError:
        raise
    except (OSError, *_DAMAGES) as error:
        raise PictureError(f"the PNG is damaged: {error}") from error


def _check_pixels(content: bytes) -> None:
    """Check the promised size before Pillow sees it, which would only warn of large pictures."""
    width, height, _, _ = png_header(content)
    if width * height > MAX_PIXELS:
        raise TooLargeError(f"a picture may have {MAX_PIXELS} pixels at most, not {width}×{height}")
