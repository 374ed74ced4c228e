"""Tables that a program writes into a document, between marks of its own."""

from collections.abc import Sequence
from pathlib import Path


def write_block(path: Path, name: str, text: str) -> None:
    """Replace what stands between `<!-- name -->` and `<!-- /name -->`."""
    before, start, rest = path.read_text().partition(f"<!-- {name} -->\n")
    _, end, after = rest.partition(f"<!-- /{name} -->")
    if not start or not end:
        raise ValueError(f"{path} has no <!-- {name} --> … <!-- /{name} -->")
    path.write_text(f"{before}{start}{text.rstrip()}\n{end}{after}")


def read_block(path: Path, name: str) -> str:
    """What `write_block` wrote."""
    return path.read_text().partition(f"<!-- {name} -->\n")[2].partition(f"<!-- /{name} -->")[0]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
