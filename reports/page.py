"""A document as one self-contained page of HTML."""

import base64
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from reports.contents import Chart, Document, Picture, formulas_of
from reports.telling import tell_document
from reports.typesetting import draw_formulas

TEMPLATES = Path(__file__).parent / "templates"
MOST_PIXELS = 720  # of the page, that a picture is wide
LARGER = 2  # so many pixels of the page for one of a small picture


def render_html(document: Document) -> str:
    """A document as HTML: pictures, formulas and style within, and nothing that runs."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    told = tell_document(document)
    for told_block, block in zip(told["blocks"], document.blocks, strict=True):
        if isinstance(block, Picture):
            told_block["png"] = base64.b64encode(block.png).decode()
            told_block["shown"] = min(LARGER * block.size[0], MOST_PIXELS)
        if isinstance(block, Chart):
            told_block["svg"] = Markup(block.svg)  # of the report's own making, texts escaped
    drawn = {
        formula.math: {
            "svg": base64.b64encode(picture.svg.encode()).decode(),
            "width": picture.width,
            "height": picture.height,
            "depth": picture.depth,
        }
        for formula, picture in draw_formulas(formulas_of(document)).items()
    }
    style = Markup((TEMPLATES / "report.css").read_text(encoding="utf-8"))
    return environment.get_template("report.html.j2").render(**told, drawn=drawn, style=style)
