"""What a browser is told about every page: no script, style or frame but our own."""

from flask import Response

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'; object-src 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    # Not no-referrer: browsers then send `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
}
# Of a page that a job wrote: it may show itself and its own pictures, and do nothing.
OF_A_REPORT = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox"
)


def add_headers(response: Response) -> Response:
    """Add those that it lacks; a page is never kept: going back shows the newest, a new form."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if response.mimetype == "text/html":
        response.cache_control.no_store = True
    return response
