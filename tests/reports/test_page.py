"""The page: self-contained, and readable for whoever cannot see it."""

from html.parser import HTMLParser
from itertools import pairwise

import pytest

from reports.page import render_html
from reports.sections import compose

VOID = {"meta", "img", "br", "path", "circle", "rect"}


class Elements(HTMLParser):
    """Every element with its attributes; and whether all are closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def named(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def html(material) -> str:
    return render_html(compose(material))


@pytest.fixture(scope="module")
def page(html) -> Elements:
    elements = Elements()
    elements.feed(html)
    assert elements.open == []
    return elements


def test_the_page_is_self_contained_and_runs_nothing(page):
    assert page.named("script") == []
    assert page.named("link") == []
    for _, attributes in page.elements:
        for name in ("src", "href", "xlink:href"):
            given = attributes.get(name)
            assert given is None or given.startswith(("data:image/", "#section-")), given


def test_the_page_has_a_language_a_title_and_headings_in_order(page):
    assert page.named("html") == [{"lang": "en"}]
    assert len(page.named("h1")) == 1
    levels = [int(tag[1]) for tag, _ in page.elements if tag in ("h1", "h2", "h3")]
    assert all(level - before <= 1 for before, level in pairwise(levels))
    assert len(page.named("h2")) == 11


def test_all_pictures_and_charts_are_said_in_words(page):
    assert len(page.named("img")) > 50
    assert all(attributes["alt"] for attributes in page.named("img"))
    charts = [each for _, each in page.elements if each.get("role") == "img"]
    assert len(charts) == len(page.named("svg")) == 4
    assert all(chart["aria-label"] for chart in charts)


def test_tables_have_captions_and_their_heads_say_for_what(page):
    assert len(page.named("table")) == len(page.named("caption")) > 15
    assert all(head["scope"] in ("col", "row") for head in page.named("th"))


def test_identifiers_are_unique_and_the_contents_lead_to_sections(page):
    identifiers = [each["id"] for _, each in page.elements if "id" in each]
    assert len(set(identifiers)) == len(identifiers)
    assert [link["href"] for link in page.named("a")] == [f"#{each}" for each in identifiers]


def test_collages_keep_their_pixels(html):
    assert "image-rendering: pixelated" in html


def test_the_same_report_is_the_same_page(material, html):
    assert render_html(compose(material)) == html
