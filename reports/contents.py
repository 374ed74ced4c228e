"""What a report consists of: blocks, said once, which the page and the PDF both show.

Texts are data: neither renderer reads markup in them, so that names may hold anything.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Formula:
    """A formula, within a text or on a line of its own.

    Attributes:
        math: in Typst's notation; the report's own, never a user's.
        words: the same for those who cannot see it.
    """

    math: str
    words: str


@dataclass(frozen=True)
class Code:
    """What is typed or compared letter by letter, within a text: a name of a file, a hash."""

    text: str


Run = str | Code | Formula
Text = Run | Sequence[Run]


def runs(text: Text) -> tuple[Run, ...]:
    """A text as its runs."""
    return (text,) if isinstance(text, str | Code | Formula) else tuple(text)


@dataclass(frozen=True)
class Heading:
    """The head of a section (level 1) or of a part of one (level 2)."""

    text: str
    level: int = 1


@dataclass(frozen=True)
class Paragraph:
    """A paragraph."""

    text: Text


@dataclass(frozen=True)
class Bullets:
    """A list; numbered where the order matters."""

    items: Sequence[Text]
    is_numbered: bool = False


@dataclass(frozen=True)
class Algorithm:
    """An algorithm: lines, each indented by so many levels."""

    title: Text
    lines: Sequence[tuple[int, Text]]


@dataclass(frozen=True)
class Picture:
    """A picture out of equal cells, or a single one, with labels around it.

    Attributes:
        png: gray, its pixels shown as they are.
        size: width and height in pixels.
        caption: what it shows, and what rows and columns are.
        alt: the same for those who cannot see it.
        rows: labels of the rows, top to bottom; none where they need none.
        columns: labels of the columns, left to right.
        groups: labels of equally many neighbouring columns, above those.
        largest: millimetres that it is wide at most.
    """

    png: bytes
    size: tuple[int, int]
    caption: Text
    alt: str
    rows: Sequence[Text] = ()
    columns: Sequence[Text] = ()
    groups: Sequence[str] = ()
    largest: int = 160


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        caption: what it says.
        head: of the columns.
        rows: as long as the head.
        is_numeric: whether all columns but the first hold numbers, to be aligned right.
        is_folded: whether it is long and narrow, so that paper shows it in two halves.
    """

    caption: Text
    head: Sequence[Text]
    rows: Sequence[Sequence[Text]]
    is_numeric: bool = False
    is_folded: bool = False


@dataclass(frozen=True)
class Chart:
    """A chart as SVG of the report's own making."""

    svg: str
    caption: Text
    alt: str


@dataclass(frozen=True)
class Commands:
    """What is typed into a shell."""

    text: str


Block = Heading | Paragraph | Bullets | Algorithm | Formula | Picture | Table | Chart | Commands


@dataclass(frozen=True)
class Document:
    """A whole report.

    Attributes:
        title: a user may have given it.
        subtitle: what it is.
        facts: name and value pairs below the title.
        blocks: all that follows.
    """

    title: str
    subtitle: str
    facts: Sequence[tuple[str, Text]]
    blocks: Sequence[Block]


def numbered(blocks: Sequence[Block]) -> Iterator[tuple[str, Block]]:
    """Each block with its label: `2` of a section, `Figure 3`, `Table 1`; empty for others."""
    sections = figures = tables = 0
    for block in blocks:
        label = ""
        if isinstance(block, Heading) and block.level == 1:
            sections += 1
            label = str(sections)
        elif isinstance(block, Picture | Chart):
            figures += 1
            label = f"Figure {figures}"
        elif isinstance(block, Table):
            tables += 1
            label = f"Table {tables}"
        yield label, block


def formulas_of(document: Document) -> list[Formula]:
    """All formulas that stand in a document, each once, in order."""
    found: dict[Formula, None] = {}
    for block in document.blocks:
        if isinstance(block, Formula):
            found[block] = None
        for text in _texts(block):
            found |= {run: None for run in runs(text) if isinstance(run, Formula)}
    return list(found)


def _texts(block: Block) -> Iterator[Text]:
    if isinstance(block, Paragraph):
        yield block.text
    elif isinstance(block, Bullets):
        yield from block.items
    elif isinstance(block, Algorithm):
        yield block.title
        yield from (text for _, text in block.lines)
    elif isinstance(block, Picture):
        yield block.caption
        yield from (*block.rows, *block.columns)
    elif isinstance(block, Table):
        yield block.caption
        yield from block.head
        yield from (cell for row in block.rows for cell in row)
    elif isinstance(block, Chart):
        yield block.caption
