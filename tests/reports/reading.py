"""What a document says, as a reader would find it."""

from reports.contents import (
    Code,
    Formula,
    Heading,
    Paragraph,
    Table,
    runs,
)
from reports.material import MadeJob, Material
from reports.sections import compose


def sections_of(document) -> dict[str, list]:
    """The blocks of each section, by its title."""
    sections: dict[str, list] = {}
    for block in document.blocks:
        if isinstance(block, Heading) and block.level == 1:
            sections[block.text] = []
        elif sections:
            sections[next(reversed(sections))].append(block)
    return sections


def words(text) -> str:
    """A text as it would be read aloud."""
    return "".join(
        run.words if isinstance(run, Formula) else run.text if isinstance(run, Code) else run
        for run in runs(text)
    )


def said(blocks) -> str:
    return "\n".join(words(block.text) for block in blocks if isinstance(block, Paragraph))


def table(blocks, caption: str) -> list[list[str]]:
    [found] = [b for b in blocks if isinstance(b, Table) and caption in words(b.caption)]
    return [[words(cell) for cell in row] for row in found.rows]


def only(blocks, kind):
    [found] = [block for block in blocks if isinstance(block, kind)]
    return found


def report_on(job: MadeJob) -> dict[str, list]:
    return sections_of(compose(Material(None, [job])))
