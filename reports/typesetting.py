"""Typst: a document as PDF, and formulas as SVG for the page.

The compiler and its fonts come with the wheel. What a user gave reaches it as JSON, never as
source; fonts of the system are used only for letters that its own lack.
"""

import json
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typst

from reports.contents import Chart, Document, Formula, Picture
from reports.telling import tell_document

TEMPLATE = Path(__file__).parent / "templates" / "report.typ"
FORMULA_POINTS = 11.0  # the letters' size, in which SVG of formulas are measured
_STRUT = 100  # points: higher than any formula
_FORMULAS = """
#set page(width: auto, height: auto, margin: 0pt, fill: none)
#set text(size: %gpt, top-edge: "bounds", bottom-edge: "bounds")
#for formula in json("formulas.json") [
  #let equation = math.equation(math.display(eval(formula, mode: "math")), alt: formula)
  #context [#metadata(
    measure([#box(height: %gpt, width: 0pt)#equation]).height / 1pt - %g
  )<depth>]
  #box(equation)
  #pagebreak(weak: true)
]
"""


@dataclass(frozen=True)
class FormulaPicture:
    """A formula as SVG; sizes in em.

    Attributes:
        svg: the picture.
        width: of it.
        height: of it.
        depth: how far it reaches below the line.
    """

    svg: str
    width: float
    height: float
    depth: float


def render_pdf(document: Document) -> bytes:
    """A document as PDF, tagged, with alternative texts; the same document gives the same bytes."""
    told = tell_document(document)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pairs = zip(told["blocks"], document.blocks, strict=True)
        for number, (told_block, block) in enumerate(pairs):
            if isinstance(block, Picture):
                told_block["file"] = f"{number}.png"
                (folder / f"{number}.png").write_bytes(block.png)
            if isinstance(block, Chart):
                told_block["file"] = f"{number}.svg"
                (folder / f"{number}.svg").write_text(block.svg, encoding="utf-8")
        (folder / "report.json").write_text(json.dumps(told), encoding="utf-8")
        source = folder / "report.typ"
        source.write_bytes(TEMPLATE.read_bytes())
        return typst.compile(source, format="pdf")


def draw_formulas(formulas: Sequence[Formula]) -> dict[Formula, FormulaPicture]:
    """Formulas as they stand in a line."""
    if not formulas:
        return {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        texts = [formula.math for formula in formulas]
        (folder / "formulas.json").write_text(json.dumps(texts), encoding="utf-8")
        source = folder / "formulas.typ"
        source.write_text(_FORMULAS % (FORMULA_POINTS, _STRUT, _STRUT), encoding="utf-8")
        made: Any = typst.compile(source, format="svg")
        depths = json.loads(typst.query(source, "<depth>", field="value"))
    pictures = [made] if isinstance(made, bytes) else made
    return {
        formula: _formula_picture(svg.decode(), depth)
        for formula, svg, depth in zip(formulas, pictures, depths, strict=True)
    }


def _formula_picture(svg: str, depth: float) -> FormulaPicture:
    width, height = re.findall(r'(?:width|height)="([\d.]+)pt"', svg)[:2]
    width_em, height_em = float(width) / FORMULA_POINTS, float(height) / FORMULA_POINTS
    return FormulaPicture(
        svg, round(width_em, 3), round(height_em, 3), round(depth / FORMULA_POINTS, 3)
    )
