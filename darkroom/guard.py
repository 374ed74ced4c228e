"""Who may come in: known hosts, our own pages, API keys, the dashboard's login, and worker keys.

A page of another site can make a browser send requests to a loopback address, under its own Origin
or, by DNS rebinding, under its own Host: both are refused before anything else is looked at.
"""

import hashlib
import hmac
import ipaddress
import re
import secrets
from collections.abc import Mapping
from datetime import timedelta
from http import HTTPStatus
from urllib.parse import urlsplit

from flask import Flask, g, redirect, render_template, request, session, url_for
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Forbidden, Unauthorized
from werkzeug.wrappers import Response

from api.routing import PREFIX, STORE
from jobs.artifacts import is_http
from jobs.settings import WebSettings

LOCAL = "local"  # who submits where no API keys are set
LOCAL_NAME = "localhost"
SUBMITTER = "submitter"  # in the session
AFTER_LOGIN = "after_login"  # the path that asked for the login
SESSION_LIFETIME = timedelta(days=7)
SUBMITTER_PATTERN = re.compile(r"[\w.@ -]{1,64}")
HEALTH_PATHS = ("/healthz", "/readyz")  # asked by supervisors under any name; no job data in them
WRONG_KEY = "This is no key of this Darkroom."


STORE_PATH = PREFIX + STORE


class UnsafeSettingsError(Exception):
    """Serving with these settings would let strangers in."""


class ForeignHostError(Forbidden):
    """The request was made under a name that is not this server's."""

    problem_code = "foreign_host"


class ForeignOriginError(Forbidden):
    """The request comes from a page of another site."""

    problem_code = "foreign_origin"


class ApiKeyRequiredError(Unauthorized):
    """The request carries no API key that is known here."""

    problem_code = "api_key_required"


class WorkerKeyRequiredError(Unauthorized):
    """The artifact store is opened by a worker key alone."""

    problem_code = "worker_key_required"


def check_settings(settings: WebSettings) -> None:
    """Refuse settings that would let strangers in.

    Raises:
        UnsafeSettingsError: it would listen beyond loopback without API keys, a key is no key or
            both a user's and a worker's, or the artifact store is another web program's.
    """
    if is_http(settings.artifacts_url):
        raise UnsafeSettingsError(
            "DARKROOM_ARTIFACTS_URL is an HTTP store, which only workers may use: give the folder "
            "or bucket that it serves"
        )
    if not settings.api_keys and not _is_loopback(settings.host):
        raise UnsafeSettingsError(
            f"host {settings.host!r} can be reached from other machines: set DARKROOM_API_KEYS "
            "(a JSON object, key → submitter) or listen on 127.0.0.1"
        )
    for key, name in (*settings.api_keys.items(), *settings.worker_keys.items()):
        if not key.strip() or not key.isascii() or not key.isprintable():
            raise UnsafeSettingsError(
                f"the key of {name!r} must be printable ASCII characters, at least one"
            )
        if not SUBMITTER_PATTERN.fullmatch(name):
            raise UnsafeSettingsError(
                f"the submitter or site of a key must match {SUBMITTER_PATTERN.pattern}, "
                f"not {name!r}"
            )
    for key in settings.api_keys.keys() & settings.worker_keys.keys():
        raise UnsafeSettingsError(
            f"the key of {settings.api_keys[key]!r} is in DARKROOM_API_KEYS and in "
            "DARKROOM_WORKER_KEYS: a user's key must not open the artifact store"
        )


class Guard:
    """Looks at every request of an app before its view does."""

    def __init__(self, settings: WebSettings) -> None:
        """Know the settings' hosts and keys."""
        self._keys = settings.api_keys
        self._worker_keys = settings.worker_keys
        self._allowed_hosts = {host.lower() for host in settings.allowed_hosts}
        self._own_hosts = {*self._allowed_hosts, settings.host.lower()} - {""}

    def protect(self, app: Flask) -> None:
        """Guard every route of the app, and serve the login where there are keys."""
        app.secret_key = self._session_secret()
        app.permanent_session_lifetime = SESSION_LIFETIME
        app.config.update(SESSION_COOKIE_HTTPONLY=True, SESSION_COOKIE_SAMESITE="Lax")
        app.before_request(self._admit)
        if self._keys:
            app.add_url_rule("/login", "login", self.login, methods=["GET", "POST"])
            app.add_url_rule("/logout", "logout", self.logout, methods=["POST"])

    def login(self) -> Response | tuple[str, int]:
        """A form that takes a key, and keeps its submitter in a signed cookie."""
        if request.method == "GET":
            return render_template("login.html", error=None), HTTPStatus.OK
        submitter = self._submitter_of(request.form.get("key", "").strip())
        if submitter is None:
            return render_template("login.html", error=WRONG_KEY), HTTPStatus.FORBIDDEN
        target = session.get(AFTER_LOGIN, "/")
        session.clear()
        session.permanent = True
        session[SUBMITTER] = submitter
        return redirect(target, HTTPStatus.SEE_OTHER)

    def logout(self) -> Response:
        """Forget who it is."""
        session.clear()
        return redirect(url_for("login"), HTTPStatus.SEE_OTHER)

    def _admit(self) -> Response | None:
        if request.path in HEALTH_PATHS:
            return None
        self._check_host()
        self._check_origin()
        if _is_for_workers():
            self._check_worker_key()
            return None
        if not self._keys:
            g.submitter = LOCAL
            return None
        submitter = self._caller()
        if submitter is not None:
            g.submitter = submitter
            return None
        if _needs_no_key():
            return None
        if request.method == "GET" and not request.path.startswith(PREFIX):
            session[AFTER_LOGIN] = _own_path(request.full_path)
            return redirect(url_for("login"), HTTPStatus.SEE_OTHER)
        raise ApiKeyRequiredError(
            "send an API key as `Authorization: Bearer KEY`, or log in at /login",
            www_authenticate=WWWAuthenticate("bearer"),
        )

    def _check_host(self) -> None:
        host = _name_of(request.host)
        if not (_is_loopback(host) or host in self._own_hosts):
            raise ForeignHostError(
                f"Host {request.host!r} is not this server: loopback names and those in "
                "DARKROOM_ALLOWED_HOSTS are"
            )

    def _check_origin(self) -> None:
        origin = request.headers.get("Origin")
        if origin is None:
            return
        address = urlsplit(origin).netloc.lower()
        name = _name_of(address)
        is_own = address != "" and address == request.host.lower()
        # A proxy may give this server another Host than the browser sees. Under the same name
        # another port is another site.
        is_proxied = name in self._allowed_hosts and name != _name_of(request.host)
        if not (is_own or is_proxied):
            raise ForeignOriginError(f"Origin {origin!r} is another site than {request.host!r}")

    def _check_worker_key(self) -> None:
        authorization = request.authorization
        is_bearer = authorization is not None and authorization.type == "bearer"
        key = (authorization.token or "") if authorization is not None and is_bearer else ""
        if _name_of_key(key, self._worker_keys) is None:
            raise WorkerKeyRequiredError(
                "send a worker key as `Authorization: Bearer KEY`: one of DARKROOM_WORKER_KEYS"
                if self._worker_keys
                else "no worker key opens the artifact store here: DARKROOM_WORKER_KEYS is empty",
                www_authenticate=WWWAuthenticate("bearer"),
            )

    def _caller(self) -> str | None:
        authorization = request.authorization
        if authorization is not None:
            is_bearer = authorization.type == "bearer" and authorization.token
            return self._submitter_of(authorization.token or "") if is_bearer else None
        submitter = session.get(SUBMITTER)
        return submitter if isinstance(submitter, str) else None

    def _submitter_of(self, key: str) -> str | None:
        return _name_of_key(key, self._keys)

    def _session_secret(self) -> bytes:
        """Made of the keys, so that processes agree and a changed key ends every session."""
        if not self._keys:
            return secrets.token_bytes(32)
        keys = "\n".join(f"{key}\t{self._keys[key]}" for key in sorted(self._keys))
        return hmac.digest(keys.encode(), b"darkroom dashboard session", hashlib.sha256)


def _name_of_key(key: str, known_keys: Mapping[str, str]) -> str | None:
    """Whose key it is, or None."""
    found = None
    for known, name in known_keys.items():  # all, so that the time tells nothing
        if hmac.compare_digest(known.encode(), key.encode()):
            found = name
    return found


def _is_for_workers() -> bool:
    """Whether it is the artifact store that is asked, by its path or by what would answer."""
    paths = [request.path] if request.url_rule is None else [request.path, request.url_rule.rule]
    return any(path == STORE_PATH or path.startswith(f"{STORE_PATH}/") for path in paths)


def _needs_no_key() -> bool:
    endpoint = request.endpoint or ""
    return endpoint == "login" or endpoint.rpartition(".")[2] == "static"


def _is_loopback(host: str) -> bool:
    if host == LOCAL_NAME or host.endswith(f".{LOCAL_NAME}"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _name_of(address: str) -> str:
    """The host of `host:port`, lower case; empty if it is none."""
    try:
        return urlsplit(f"//{address}").hostname or ""
    except ValueError:
        return ""


def _own_path(path: str) -> str:
    """The path with one slash before it: two, or what a browser takes for them, leave this site."""
    return "/" + re.sub(r"[\x00-\x20\\]", "", path).lstrip("/").removesuffix("?")
