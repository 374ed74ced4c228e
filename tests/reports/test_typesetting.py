"""The PDF, and formulas as pictures."""

import io
import re

import pypdf
import pytest

from reports import formulas
from reports.contents import Document, Formula, Paragraph, Table
from reports.sections import compose
from reports.typesetting import draw_formulas, render_pdf

ALL_FORMULAS = [each for each in vars(formulas).values() if isinstance(each, Formula)]


def text_of(pdf: bytes) -> str:
    pages = pypdf.PdfReader(io.BytesIO(pdf)).pages
    return " ".join(" ".join(page.extract_text().split()) for page in pages)


def test_a_report_of_all_kinds_is_a_pdf_with_pages_title_and_language(material):
    pdf = render_pdf(compose(material))

    reader = pypdf.PdfReader(io.BytesIO(pdf))
    assert 6 <= len(reader.pages) <= 20
    assert reader.metadata is not None
    assert reader.metadata.title == "Face diffusion"
    assert reader.root_object["/Lang"] == "en"
    assert "/StructTreeRoot" in reader.root_object  # tagged: others than eyes can read it
    text = text_of(pdf)
    for expected in ("Merging two faces: our pairs", "Judged age", "Figure 3.", "901–1000", "ada"):
        assert expected in text


def test_the_same_report_is_the_same_bytes(material):
    document = compose(material)

    assert render_pdf(document) == render_pdf(document)


def test_pages_are_a4_and_what_has_no_spaces_is_broken():
    long = "x" * 200
    blocks = [Paragraph(long), Table(long, ("Name", long), [("Name", long)])]

    reader = pypdf.PdfReader(io.BytesIO(render_pdf(Document(long, long, [("Name", long)], blocks))))

    for page in reader.pages:
        assert [round(float(side)) for side in page.mediabox[2:]] == [595, 842]
        lines = page.extract_text().splitlines()
        assert 20 < max(len(line) for line in lines) < 110  # letters of 160 mm


@pytest.fixture(scope="module")
def drawn():
    return draw_formulas(ALL_FORMULAS)


def test_every_formula_can_be_drawn(drawn):
    for formula, picture in drawn.items():
        assert picture.svg.startswith("<svg"), formula
        assert 0.2 < picture.width < 45, formula
        assert 0 <= picture.depth < picture.height < 4, formula


def test_formulas_stand_on_the_line(drawn):
    assert drawn[formulas.Z_T].depth == pytest.approx(0.25, abs=0.05)  # the index hangs
    assert drawn[formulas.X].depth == pytest.approx(0, abs=0.02)


def test_every_formula_is_said_in_words():
    for formula in ALL_FORMULAS:
        assert re.fullmatch(r"[A-Za-z0-9 ,.:;=-]+", formula.words), formula.words
    assert len({formula.words for formula in ALL_FORMULAS}) == len(ALL_FORMULAS)


def test_no_formulas_are_no_pictures():
    assert draw_formulas([]) == {}
