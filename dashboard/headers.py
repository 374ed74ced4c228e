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


def add_headers(response: Response) -> Response:
    """Add them; a page is never kept, so that going back shows the newest, and a new form."""
    for name, value in HEADERS.items():
        response.headers[name] = value
    if response.mimetype == "text/html":
        response.cache_control.no_store = True
    return response
