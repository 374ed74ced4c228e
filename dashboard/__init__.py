"""Server-rendered pages for people; acts through jobs.service."""

from flask import Blueprint, Response

from dashboard.errors import add_error_pages
from dashboard.filters import add_filters
from dashboard.headers import add_headers
from dashboard.pages import API, Pages
from dashboard.queue import QueuePages
from dashboard.submission import SubmissionPages
from dashboard.uploads import UploadPages
from jobs.service import JobService
from jobs.settings import WebSettings

MAX_UPLOAD_BYTES: int = WebSettings.model_fields["max_upload_bytes"].default


def blueprint(service: JobService, max_upload_bytes: int = MAX_UPLOAD_BYTES) -> Blueprint:
    """The pages over this service, for the root of a Flask app.

    The app sets `flask.g.submitter` before each request. Uploads have at most
    `max_upload_bytes`.
    """
    pages = Blueprint(
        "dashboard",
        __name__,
        template_folder="templates",
        static_folder="static",
        static_url_path="/assets",  # an app has a /static of its own
    )
    Pages(service).add_to(pages)
    QueuePages(service).add_to(pages)
    SubmissionPages(service).add_to(pages)
    UploadPages(service, max_upload_bytes).add_to(pages)
    pages.context_processor(lambda: {"api": API})
    add_filters(pages)
    add_error_pages(pages)
    pages.after_request(add_headers)
    pages.after_app_request(_add_headers_to_pages)
    return pages


def _add_headers_to_pages(response: Response) -> Response:
    """Every page is one of ours, also where no view of ours was met."""
    return add_headers(response) if response.mimetype == "text/html" else response
