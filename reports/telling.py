"""A document as plain values, of which both templates make what is shown."""

import re
from collections.abc import Mapping
from typing import Any

from reports.contents import (
    Algorithm,
    Block,
    Bullets,
    Chart,
    Code,
    Commands,
    Document,
    Formula,
    Heading,
    Paragraph,
    Picture,
    Table,
    Text,
    numbered,
    runs,
)

_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def tell_document(document: Document) -> dict[str, Any]:
    """Title, facts and blocks as JSON values; pictures and charts are left to the renderer."""
    return {
        "title": printable(document.title),
        "subtitle": printable(document.subtitle),
        "facts": [{"name": name, "text": tell_text(text)} for name, text in document.facts],
        "blocks": [
            {"type": type(block).__name__, "label": label, **_tell(block)}
            for label, block in numbered(document.blocks)
        ],
    }


def tell_text(text: Text) -> list[dict[str, str]]:
    """The runs of a text: each `text`, `code`, or `math` with its `words`."""
    told = []
    for run in runs(text):
        if isinstance(run, Formula):
            told.append({"math": run.math, "words": run.words})
        elif isinstance(run, Code):
            told.append({"code": printable(run.text)})
        else:
            told.append({"text": printable(run)})
    return told


def printable(text: str) -> str:
    """A text without what no page can show: control characters and halves of letters."""
    return _UNPRINTABLE.sub("�", text)


def _tell(block: Block) -> Mapping[str, Any]:
    told: Mapping[str, Any]
    match block:
        case Heading():
            told = {"text": printable(block.text), "level": block.level}
        case Paragraph():
            told = {"text": tell_text(block.text)}
        case Bullets():
            items = [tell_text(item) for item in block.items]
            told = {"items": items, "numbered": block.is_numbered}
        case Algorithm():
            lines = [{"level": level, "text": tell_text(text)} for level, text in block.lines]
            told = {"title": tell_text(block.title), "lines": lines}
        case Formula():
            told = {"math": block.math, "words": block.words}
        case Picture():
            told = _tell_picture(block)
        case Table():
            told = _tell_table(block)
        case Chart():
            told = {"caption": tell_text(block.caption), "alt": printable(block.alt)}
        case Commands():
            told = {"text": printable(block.text)}
    return told


def _tell_table(table: Table) -> Mapping[str, Any]:
    return {
        "caption": tell_text(table.caption),
        "head": [tell_text(cell) for cell in table.head],
        "rows": [[tell_text(cell) for cell in row] for row in table.rows],
        "numeric": table.is_numeric,
        "folded": table.is_folded,
    }


def _tell_picture(picture: Picture) -> Mapping[str, Any]:
    return {
        "caption": tell_text(picture.caption),
        "alt": printable(picture.alt),
        "pixels": picture.size,
        "largest": picture.largest,
        "rows": [tell_text(row) for row in picture.rows],
        "columns": [tell_text(column) for column in picture.columns],
        "groups": [printable(group) for group in picture.groups],
    }
