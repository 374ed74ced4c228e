"""The API and the dashboard as one WSGI application."""

from flask import Flask, Response, request
from werkzeug.exceptions import NotFound

import api
import dashboard
from api.errors import problem_response
from api.routing import PREFIX
from api.uploads import MULTIPART_OVERHEAD
from darkroom.guard import HEALTH_PATHS, Guard, check_settings
from dashboard.errors import error_page
from jobs.broadcast import Broadcaster
from jobs.service import open_service
from jobs.settings import WebSettings

BROADCASTER = "darkroom.broadcaster"  # in the app's extensions


def create_app(settings: WebSettings) -> Flask:
    """Build the application over the database, the broker and the store that the settings name.

    Raises:
        UnsafeSettingsError: it would let strangers in.
    """
    check_settings(settings)
    service = open_service(settings)
    broadcaster = Broadcaster(settings.redis_url)
    app = Flask("darkroom", static_folder=None)
    app.before_request(_refuse_nul)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_upload_bytes + MULTIPART_OVERHEAD
    app.extensions[BROADCASTER] = broadcaster
    Guard(settings).protect(app)
    app.register_blueprint(api.blueprint(service, broadcaster, settings))
    app.register_blueprint(dashboard.blueprint(service, settings.max_upload_bytes))
    app.register_error_handler(Exception, _answer_error)
    app.after_request(_forbid_sniffing)
    return app


def end_streams(app: Flask) -> None:
    """End the open event streams of an application that is about to stop."""
    broadcaster: Broadcaster = app.extensions[BROADCASTER]
    broadcaster.close()


def _answer_error(error: Exception) -> Response:
    is_for_programs = request.path.startswith(PREFIX) or request.path in HEALTH_PATHS
    return problem_response(error) if is_for_programs else error_page(error)


def _refuse_nul() -> None:
    if "\0" in request.path:  # in no id, and PostgreSQL does not take it to look for one
        raise NotFound


def _forbid_sniffing(response: Response) -> Response:
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
