"""All files of a report, one after the other, so that whoever makes them can stop in between."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from reports.archive import build_archive
from reports.material import Material
from reports.page import render_html
from reports.repeating import batch_request
from reports.sections import compose
from reports.typesetting import render_pdf


@dataclass(frozen=True)
class ReportFile:
    """A file of a report."""

    name: str
    media_type: str
    content: bytes


def make_report(material: Material) -> Iterator[ReportFile]:
    """jobs.json, report.html, report.pdf, assignment.zip; each is made when it is asked for."""
    document = compose(material)
    batch = json.dumps(batch_request(material), indent=1) + "\n"
    made = {"jobs.json": batch.encode()}
    yield ReportFile("jobs.json", "application/json", made["jobs.json"])
    made["report.html"] = render_html(document).encode()
    yield ReportFile("report.html", "text/html", made["report.html"])
    made["report.pdf"] = render_pdf(document)
    yield ReportFile("report.pdf", "application/pdf", made["report.pdf"])
    yield ReportFile("assignment.zip", "application/zip", build_archive(material, made))
