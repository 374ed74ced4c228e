"""Figures for people: a collage whose rows and columns are named."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from formats.errors import WrongShapeError
from formats.pictures import collage

WHITE, BLACK = 255, 0
LABEL_SIZE, TITLE_SIZE = 12, 13  # pixels
GAP, GROUP_GAP = 2, 8  # between pictures, and more of it between groups
MARGIN = 8  # around all, and between pictures and words
LEAST_WIDTH = 320  # so that a title has room beside a single picture


def labelled_collage(
    images: npt.NDArray[np.uint8],
    columns: int,
    row_labels: Sequence[str],
    column_labels: Sequence[str],
    title: str,
    *,
    group: int | None = None,
) -> Image.Image:
    """Lay out pictures as `collage` does, on white, with names and a caption.

    Pictures stand at their own size, a little apart; columns are as wide as their names need. The
    same arguments give the same pixels where Pillow and FreeType are the same.

    Args:
        images: uint8 (n, h, w), n at least 1.
        columns: pictures per row, at least 1; places left over in the last row stay white.
        row_labels: one for each row, left of it.
        column_labels: one for each column, above it; or none.
        title: a caption above all, broken into lines where it is long.
        group: after each so many columns there is a wider gap.

    Returns:
        Mode "L".

    Raises:
        WrongShapeError: images are not as said, or there are not as many labels as rows or columns.
        WrongDtypeError: images is not uint8.
    """
    collage(images, columns)  # the same must be said of the same mistakes
    count, height, width = images.shape
    rows = -(-count // columns)
    if len(row_labels) != rows or len(column_labels) not in (0, columns):
        raise WrongShapeError(
            f"{rows} rows of {columns} pictures have {len(row_labels)} row labels and "
            f"{len(column_labels)} column labels; there must be one for each"
        )
    font = ImageFont.load_default(LABEL_SIZE)
    pitch = max(width, _widest(column_labels, font)) + GAP
    left = MARGIN + _widest(row_labels, font) + MARGIN
    group = group or columns
    lefts = [left + i * pitch + i // group * GROUP_GAP for i in range(columns)]
    whole_width = max(LEAST_WIDTH, lefts[-1] + pitch + MARGIN)
    caption = ImageFont.load_default(TITLE_SIZE)
    lines = _broken(title, whole_width - 2 * MARGIN, caption)
    line, label_line = (_line_height(each) for each in (caption, font))
    header = MARGIN + line * len(lines) + (label_line + GAP if column_labels else 0) + GAP
    figure = Image.new("L", (whole_width, header + rows * (height + GAP) + MARGIN), WHITE)
    draw = ImageDraw.Draw(figure)
    for number, text in enumerate(lines):
        draw.text((MARGIN, MARGIN + number * line), text, BLACK, caption)
    for column, text in enumerate(column_labels):
        middle = lefts[column] + width / 2
        draw.text((middle, header - GAP), text, BLACK, font, anchor="md")
    for row, text in enumerate(row_labels):
        middle = header + row * (height + GAP) + height / 2
        draw.text((left - MARGIN, middle), text, BLACK, font, anchor="rm")
    for number, picture in enumerate(images):
        row, column = divmod(number, columns)
        place = (lefts[column], header + row * (height + GAP))
        figure.paste(Image.fromarray(picture), place)
    return figure


def _widest(texts: Sequence[str], font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> int:
    return max((int(np.ceil(font.getlength(text))) for text in texts), default=0)


def _line_height(font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> int:
    _, top, _, bottom = font.getbbox("Ág|")
    return int(np.ceil(bottom - min(top, 0))) + GAP


def _broken(text: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> list[str]:
    """Lines of at most this width; a word that is longer has a line of its own."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
