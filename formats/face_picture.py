"""One face, or a mask for one, in a file: a gray PNG of a face's size."""

import numpy as np
import numpy.typing as npt

from formats.errors import WrongDtypeError, WrongShapeError
from formats.faces import FACE_SIZE
from formats.pictures import decode_png, png_header

ALLOWED_PICTURE = f"a PNG of {FACE_SIZE}×{FACE_SIZE} pixels in 8 bits of gray, without alpha"
_GRAY, _GRAY_BITS = 0, 8  # the PNG's colour type and bit depth
_COLOURS = {0: "gray", 2: "RGB", 3: "a palette", 4: "gray with alpha", 6: "RGB with alpha"}
_SIDE = f"{FACE_SIZE}, {FACE_SIZE}"
_MADE_SO = (
    ". With `from PIL import Image`: "
    f'`Image.open("face.png").convert("L").resize(({_SIDE}), Image.Resampling.LANCZOS)'
    '.save("gray.png")`'
)
_MADE_SO_OF_16_BITS = (
    ". With `import numpy as np` and `from PIL import Image`: "
    '`Image.fromarray((np.asarray(Image.open("face.png")) // 256).astype(np.uint8))'
    f'.resize(({_SIDE}), Image.Resampling.LANCZOS).save("gray.png")`'
)


def load_face_picture(content: bytes) -> npt.NDArray[np.uint8]:
    """Read a gray PNG of a face's size; nothing else than its pixels is looked at.

    Returns:
        Gray levels 0 … 255, uint8 (48, 48).

    Raises:
        WrongShapeError: it has another size.
        WrongDtypeError: it is not gray with 8 bits, or has alpha.
        PictureError: it is not a PNG, or damaged.
    """
    header = png_header(content)
    hint = _MADE_SO
    if header.colour_type == _GRAY and header.bit_depth > _GRAY_BITS:
        hint = _MADE_SO_OF_16_BITS
    if (header.width, header.height) != (FACE_SIZE, FACE_SIZE):
        found = f"{header.width}×{header.height}"
        raise WrongShapeError(
            f"the picture is {found} pixels; it must be {FACE_SIZE}×{FACE_SIZE}{hint}", found
        )
    if (header.colour_type, header.bit_depth) != (_GRAY, _GRAY_BITS):
        colour = _COLOURS.get(header.colour_type, f"colour type {header.colour_type}")
        found = f"{colour}, {header.bit_depth} bits"
        raise WrongDtypeError(
            f"the picture is {found}; it must be gray, 8 bits, without alpha{hint}", found
        )
    return decode_png(content)
