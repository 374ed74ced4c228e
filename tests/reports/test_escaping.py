"""What people give is shown as they gave it, and never read as markup or code."""

import io
from dataclasses import replace
from html.parser import HTMLParser

import pypdf
import pytest

from reports.contents import Code, Commands, Document, Heading, Paragraph, Picture, Table
from reports.material import Material
from reports.page import render_html
from reports.sections import compose
from reports.typesetting import render_pdf

HOSTILE = [
    '#import "/etc/passwd": *',
    '#read("report.json") #panic("x")',
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "{{ 7 * 7 }} {% include 'x' %}",
    "$ sum_(i=0)^n $ \\ \\u{41} \\#",
    "*bold* _italic_ `raw` = heading @label <label> // comment /* */",
    "\"quoted\" 'single' & &amp; ]]> -->",
    "emoji 😀👩🏽‍🔬, 李小龙, العربية",
    "long " + "w" * 5000,
    "\x00\x07\x1b[31m \ud83d \uffff",
    "",
]


class Texts(HTMLParser):
    """The tags and the text of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data):
        self.text += data


def everywhere(given: str, picture) -> Document:
    """A document with a text in each place that can hold one."""
    return Document(
        given,
        given,
        [("Name", given)],
        [
            Heading(given),
            Paragraph([given, Code(given)]),
            Table(given, (given, "b"), [(Code(given), given)]),
            Picture(picture.content, picture.size, given, given, rows=[given], columns=[given]),
            Commands(given),
        ],
    )


@pytest.mark.parametrize("given", HOSTILE, ids=range(len(HOSTILE)))
def test_any_text_can_stand_in_any_place(given, make_picture):
    document = everywhere(given, make_picture(1, 1))

    page = Texts()
    page.feed(render_html(document))
    pdf = render_pdf(document)

    assert len(pypdf.PdfReader(io.BytesIO(pdf)).pages) >= 1
    assert "script" not in page.tags
    assert page.tags.count("img") == 1
    assert not any(name.startswith("on") for name in page.attributes)
    shown = given.replace("\x00", "�").replace("\x07", "�").replace("\x1b", "�")
    shown = shown.replace("\ud83d", "�").replace("\uffff", "�")
    assert page.text.count(shown) >= 8


@pytest.mark.parametrize("given", [each for each in HOSTILE if each.isascii() and len(each) < 99])
def test_the_pdf_shows_it_letter_by_letter(given):
    document = Document("Title", "Subtitle", [], [Paragraph(Code(given))])

    text = pypdf.PdfReader(io.BytesIO(render_pdf(document))).pages[0].extract_text()

    expected = "".join(given.split()).replace("\x00", "")
    assert expected in "".join(text.split())


def test_names_of_jobs_networks_and_people_are_among_them(all_kinds, make_checkpoint):
    hostile = HOSTILE[2]
    network = replace(make_checkpoint(dataset=hostile, source=hostile), name=hostile)
    jobs = [replace(job, name=hostile, checkpoints=[network]) for job in all_kinds]
    document = compose(Material(hostile, jobs, hostile, hostile))

    page = Texts()
    page.feed(render_html(document))

    assert "script" not in page.tags
    assert page.text.count(hostile) > 3 * len(jobs)
    assert render_pdf(document).startswith(b"%PDF")
