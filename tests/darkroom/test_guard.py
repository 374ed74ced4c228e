import json
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from darkroom.guard import UnsafeSettingsError
from darkroom.web import create_app
from jobs.settings import WebSettings

JOBS = "/api/v1/jobs"
KEY = {"Authorization": "Bearer secret-a"}
MakeClient = Callable[..., FlaskClient]


@pytest.fixture
def make_client(web_settings: WebSettings) -> MakeClient:
    """A client of an application with some settings changed."""

    def make(**changes: Any) -> FlaskClient:
        return create_app(web_settings.model_copy(update=changes)).test_client()

    return make


@pytest.fixture
def keyed(make_client: MakeClient) -> FlaskClient:
    """A client of an application with two keys."""
    return make_client(api_keys={"secret-a": "ada", "secret-g": "grace"})


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "gpu.lab.example", ""])
def test_it_refuses_to_listen_beyond_loopback_without_keys(
    make_client: MakeClient, host: str
) -> None:
    with pytest.raises(UnsafeSettingsError, match="DARKROOM_API_KEYS") as caught:
        make_client(host=host)

    assert repr(host) in str(caught.value)
    assert make_client(host=host, api_keys={"secret": "ada"}).get("/healthz").status_code == 200


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.9", "::1", "localhost"])
def test_loopback_needs_no_keys(make_client: MakeClient, host: str) -> None:
    assert make_client(host=host).get(JOBS).status_code == 200


@pytest.mark.parametrize("keys", [{"": "ada"}, {" ": "ada"}, {"schlüssel": "ada"}, {"k": "<b>"}])
def test_a_key_that_is_none_is_refused(make_client: MakeClient, keys: dict[str, str]) -> None:
    with pytest.raises(UnsafeSettingsError):
        make_client(api_keys=keys)


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:8000", "LOCALHOST", "127.0.0.1:80", "[::1]:8000", "x.localhost"],
)
def test_loopback_names_are_ours(make_client: MakeClient, host: str) -> None:
    assert make_client().get(JOBS, headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8000",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "10.0.0.1",
        "[::2]",
        "localhost@evil.example",
        "[::1",
        "a b",
    ],
)
@pytest.mark.parametrize("path", [JOBS, "/", "/nowhere"])
def test_a_foreign_host_is_refused(make_client: MakeClient, host: str, path: str) -> None:
    answer = make_client().get(path, headers={"Host": host})

    assert answer.status_code == 403
    if path == JOBS:
        assert answer.json["code"] == "foreign_host"
        assert "DARKROOM_ALLOWED_HOSTS" in answer.json["detail"]


def test_another_port_of_an_allowed_host_is_another_site(make_client: MakeClient) -> None:
    client = make_client(allowed_hosts=["gpu.lab.example"])
    headers = {"Host": "gpu.lab.example:8000", "Origin": "http://gpu.lab.example:3000"}

    assert client.get(JOBS, headers=headers).json["code"] == "foreign_origin"


def test_an_allowed_host_is_ours(make_client: MakeClient) -> None:
    client = make_client(allowed_hosts=["gpu.lab.example"])

    assert client.get(JOBS, headers={"Host": "GPU.lab.example:8000"}).status_code == 200
    assert client.get(JOBS, headers={"Host": "sub.gpu.lab.example"}).status_code == 403


def test_supervisors_ask_under_any_name_and_without_a_key(keyed: FlaskClient) -> None:
    for path in ("/healthz", "/readyz"):
        assert keyed.get(path, headers={"Host": "10.1.2.3:8000"}).status_code == 200


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://localhost:3000",
        "http://localhost",
        "null",
        "",
        "x",
        "http://localhost:8000.evil.example",
        "http://127.0.0.1:8000",
        "http://127.0.0.1:3000",
    ],
)
def test_a_foreign_origin_is_refused(make_client: MakeClient, origin: str) -> None:
    headers = {"Host": "localhost:8000", "Origin": origin}

    for method in ("GET", "POST"):
        answer = make_client().open(JOBS, method=method, headers=headers)

        assert (answer.status_code, answer.json["code"]) == (403, "foreign_origin")


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("localhost:8000", "http://localhost:8000"),
        ("localhost:8000", "http://LOCALHOST:8000"),
        ("127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("gpu.lab.example", "https://gpu.lab.example"),
        ("127.0.0.1:8000", "https://gpu.lab.example"),  # a proxy with a Host of its own
    ],
)
def test_our_own_origin_may_come_in(make_client: MakeClient, host: str, origin: str) -> None:
    client = make_client(allowed_hosts=["gpu.lab.example"])

    assert client.get(JOBS, headers={"Host": host, "Origin": origin}).status_code == 200


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        "Bearer secret-A",
        "Bearer secret-a2",
        "secret-a",
        "Basic c2VjcmV0LWE6",
        "Bearer schlüssel",
    ],
)
def test_the_api_asks_for_a_key(keyed: FlaskClient, authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}

    for path in (JOBS, "/api/v1/events", "/api/v1/openapi.json", "/api/v1/nowhere"):
        answer = keyed.get(path, headers=headers)

        assert (answer.status_code, answer.json["code"]) == (401, "api_key_required")
        assert answer.headers["WWW-Authenticate"].lower().startswith("bearer")


def test_a_key_opens_the_api(keyed: FlaskClient) -> None:
    assert keyed.get(JOBS, headers=KEY).status_code == 200


def test_a_page_leads_to_the_login_and_back(keyed: FlaskClient) -> None:
    asked = keyed.get("/?status=failed")
    assert (asked.status_code, asked.headers["Location"]) == (303, "/login")
    assert keyed.get("/login").status_code == 200

    entered = keyed.post("/login", data={"key": " secret-g "})

    assert (entered.status_code, entered.headers["Location"]) == (303, "/?status=failed")
    cookie = entered.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert keyed.get("/").status_code == 200
    assert keyed.get(JOBS).status_code == 200


def test_a_wrong_key_does_not_log_in(keyed: FlaskClient) -> None:
    answer = keyed.post("/login", data={"key": "wrong"})

    assert answer.status_code == 403
    assert "no key" in answer.text
    assert keyed.get(JOBS).status_code == 401


@pytest.mark.parametrize(
    "path", ["//evil.example/a", "/%2Fevil.example", "/%5Cevil.example", "/%09/evil.example", "/?"]
)
def test_the_login_never_leads_to_another_site(keyed: FlaskClient, path: str) -> None:
    keyed.get(path)

    answer = keyed.post("/login", data={"key": "secret-a"})

    location = answer.headers["Location"]
    assert location.startswith("/")
    assert not location.startswith(("//", "/\\"))


def test_a_login_of_another_site_is_refused(keyed: FlaskClient) -> None:
    headers = {"Origin": "https://evil.example"}

    assert keyed.post("/login", data={"key": "secret-a"}, headers=headers).status_code == 403


def test_logging_out_ends_the_session(keyed: FlaskClient) -> None:
    keyed.post("/login", data={"key": "secret-a"})
    assert keyed.get("/").status_code == 200

    assert keyed.post("/logout").status_code == 303

    assert keyed.get("/").status_code == 303


def test_processes_with_the_same_keys_agree_on_sessions_and_others_do_not(
    make_client: MakeClient,
) -> None:
    keys = {"secret-a": "ada", "secret-g": "grace"}
    first = make_client(api_keys=keys)
    first.post("/login", data={"key": "secret-a"})
    cookie = first.get_cookie("session")
    assert cookie is not None

    def status(other_keys: dict[str, str]) -> int:
        other = make_client(api_keys=other_keys)
        other.set_cookie("session", cookie.value)
        return other.get(JOBS).status_code

    assert status(dict(reversed(keys.items()))) == 200
    assert status({"secret-a": "ada"}) == 401
    assert status(keys | {"secret-a": "eve"}) == 401


def test_the_login_page_can_load_its_style(keyed: FlaskClient) -> None:
    page = keyed.get("/login")

    assert "'self'" in page.headers["Content-Security-Policy"]
    style = page.text.partition('rel="stylesheet" href="')[2].partition('"')[0]
    with keyed.get(style) as answer:
        assert answer.status_code == 200


def test_without_keys_there_is_no_login(make_client: MakeClient) -> None:
    assert make_client().get("/login").status_code == 404


def test_a_session_carries_the_submitter_into_jobs(keyed: FlaskClient) -> None:
    keyed.post("/login", data={"key": "secret-g"})

    body = {"kind": "sample", "params": {"count": 1, "num_inference_steps": 1}}
    answer = keyed.post(JOBS, data=json.dumps(body), content_type="application/json")

    assert (answer.status_code, answer.json["submitter"]) == (202, "grace")
