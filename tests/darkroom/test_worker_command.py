"""`darkroom worker`: what it refuses at its start, and one worker for each GPU."""

import io
import sys
from collections.abc import Callable, Iterator

import pytest
from click.testing import CliRunner, Result

from darkroom import fleet
from darkroom.commands.dispatcher import command as dispatcher
from darkroom.commands.worker import command
from darkroom.options import EX_CONFIG
from darkroom.supervisor import Output, Program, Supervisor
from jobs import redis_access
from jobs.settings import WorkerSettings, environment_of
from tests.tls_redis import PASSWORD, TlsRedis, serve_tls_redis


@pytest.fixture(scope="module")
def tls_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsRedis]:
    with serve_tls_redis(tmp_path_factory.mktemp("tls")) as served:
        yield served


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Redis that is too busy to refuse counts as away, and is waited for."""
    monkeypatch.setattr(redis_access, "CHECK_SECONDS", 20.0)
    monkeypatch.setattr(redis_access, "PROBE_SECONDS", 20.0)


def worker(*options: str) -> Result:
    return CliRunner().invoke(command, [*options])


@pytest.mark.parametrize("is_worker", [True, False])
def test_a_wrong_password_ends_it_at_once(
    tls_redis: TlsRedis, is_worker: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DARKROOM_REDIS_URL", tls_redis.url("wrong-password"))

    ended = CliRunner().invoke(command if is_worker else dispatcher, [])

    assert ended.exit_code == EX_CONFIG
    assert "refuses user or password" in ended.output
    assert "wrong-password" not in ended.output


def test_a_wrong_authority_ends_it_at_once(tls_redis: TlsRedis) -> None:
    ended = worker("--broker", tls_redis.url(authority=tls_redis.other_authority))

    assert ended.exit_code == EX_CONFIG
    assert "certificate is not accepted" in ended.output
    assert PASSWORD not in ended.output


def test_a_store_over_http_without_a_key_ends_it_at_once(tls_redis: TlsRedis) -> None:
    ended = worker("--broker", tls_redis.url(), "--artifacts", "https://nowhere/api/v1/store")

    assert ended.exit_code == EX_CONFIG
    assert "DARKROOM_ARTIFACTS_KEY" in ended.output


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--kinds", "sample,dance"], "'dance' is no kind of job; known are sample, "),
        (["--name", "a/b"], "DARKROOM_NAME"),
    ],
)
def test_what_is_not_known_is_said(options: list[str], said: str) -> None:
    ended = worker(*options)

    assert ended.exit_code == 1
    assert said in ended.output


def test_a_wrong_setting_of_keys_is_said_without_them(monkeypatch: pytest.MonkeyPatch) -> None:
    from darkroom.commands.web import command as web  # noqa: PLC0415

    monkeypatch.setenv("DARKROOM_WORKER_KEYS", '{"very-secret": 7}')

    ended = CliRunner().invoke(web, [])

    assert ended.exit_code == 1
    assert "DARKROOM_WORKER_KEYS" in ended.output
    assert "very-secret" not in ended.output


def test_each_gpu_has_a_worker_of_its_own_and_no_secret_is_an_argument() -> None:
    settings = WorkerSettings(
        redis_url="redis://:secret@h/0", artifacts_key="secret", kinds=["sample"], name="box"
    )

    first, second = fleet.programs(settings, 2, 9)

    assert [p.environment["DARKROOM_DEVICE"] for p in (first, second)] == ["cuda:0", "cuda:1"]
    assert first.environment["DARKROOM_HOST_ENGINES"] == "2"
    assert "secret" not in " ".join(first.argv)
    read = {k: v for k, v in second.environment.items() if k.startswith("DARKROOM_")}
    expected = settings.model_copy(update={"device": "cuda:1", "host_engines": 2})
    assert read == environment_of(expected)


def test_workers_that_can_never_work_are_given_up(tls_redis: TlsRedis) -> None:
    output = io.StringIO()
    settings = WorkerSettings(redis_url=tls_redis.url("wrong-password"))

    with pytest.raises(SystemExit) as ended:
        fleet.run(settings, 1, output)

    assert ended.value.code == EX_CONFIG
    assert "refuses user or password" in output.getvalue()


def test_only_what_ends_by_its_settings_is_not_started_again(
    free_port: Callable[[], int],
) -> None:
    supervisor = Supervisor(Output(io.StringIO()))
    for name, code in (("settings", EX_CONFIG), ("other", 3)):
        argv = [sys.executable, "-S", "-c", f"raise SystemExit({code})"]
        supervisor.start(Program(name, argv, 0))
    for child in supervisor.children:
        child.process.wait()

    supervisor.keep_running()

    settings, other = supervisor.children
    assert settings.has_given_up
    assert not other.has_given_up
    assert not supervisor.has_given_up
    supervisor.stop(lambda: True)
