"""Redis behind a password and TLS: a real redis-server with certificates of this test's own."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jobs import redis_access
from jobs.broker import make_app, queue_key, send_shard
from jobs.messages import Heartbeat, Order, OrderType, ShardOrder
from jobs.redis_access import RedisRefusedError, check_redis, connect, masked
from jobs.requests import SampleParams
from jobs.streams import DispatcherStreams, WebStreams, WorkerStreams
from jobs.works import AssembleWork
from tests.tls_redis import PASSWORD, TlsRedis, serve_tls_redis


@pytest.fixture(scope="module")
def tls_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsRedis]:
    with serve_tls_redis(tmp_path_factory.mktemp("tls")) as served:
        yield served


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Redis that is too busy to refuse counts as away."""
    monkeypatch.setattr(redis_access, "CHECK_SECONDS", 20.0)
    monkeypatch.setattr(redis_access, "PROBE_SECONDS", 20.0)


def test_streams_and_celery_go_through_tls(tls_redis: TlsRedis) -> None:
    url = tls_redis.url()
    worker, dispatcher = WorkerStreams(url, "w", block_seconds=0.2), DispatcherStreams(url)
    beat = Heartbeat(worker="w", queue="q", host="h", pid=1, version="0", slots=1, running=[])
    dispatcher.make_group()
    worker.send([beat])
    dispatcher.conclude(orders=[("w", Order(type=OrderType.DRAIN))])
    work = AssembleWork(params=SampleParams(), pieces=[])
    order = ShardOrder(job_id="j", shard_id="j-0", attempt=1, work=work)
    app = make_app(url, timeout_seconds=20)
    send_shard(app, "tls-queue", order)

    assert [
        entry.message for entry in dispatcher.read(pending=False, count=9, block_seconds=1)
    ] == [beat]
    assert [found.type for _, found in worker.read_orders("0-0")] == [OrderType.DRAIN]
    assert worker.waiting_messages(queue_key("tls-queue")) == 1
    assert WebStreams(url).is_reachable()
    app.close()
    dispatcher.close()


def test_celery_speaks_tls_without_any_parameter_and_then_trusts_only_the_systems_authorities(
    tls_redis: TlsRedis,
) -> None:
    url = f"rediss://:{PASSWORD}@127.0.0.1:{tls_redis.port}/0"
    app = make_app(url, timeout_seconds=20)
    with pytest.raises(Exception, match="CERTIFICATE_VERIFY_FAILED"):
        app.connection_for_write().ensure_connection(max_retries=1, interval_start=0)
    app.close()
    with pytest.raises(RedisRefusedError, match="certificate is not accepted"):
        check_redis(url)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda r: r.url(password="wrong-password"), "refuses user or password"),
        (lambda r: r.url(authority=r.other_authority), "certificate is not accepted"),
        (lambda r: r.url(authority=Path("/nowhere/ca.pem")), "'/nowhere/ca.pem', which is no file"),
        (lambda r: f"rediss://:{PASSWORD}@127.0.0.1:{r.plain_port}/0", "does not speak TLS"),
        (lambda r: f"redis://:{PASSWORD}@127.0.0.1:{r.port}/0", "it speaks TLS"),
        (lambda r: f"redis://127.0.0.1:{r.plain_port}/0", "refuses user or password"),
        (lambda r: f"http://:{PASSWORD}@127.0.0.1:{r.port}", "scheme"),
    ],
)
def test_what_can_never_work_is_said_at_once_and_without_the_password(
    tls_redis: TlsRedis,
    change: Callable[[TlsRedis], str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if said == "does not speak TLS":  # to TLS such a port says nothing: it takes all the time
        monkeypatch.setattr(redis_access, "CHECK_SECONDS", 1.0)

    began = time.monotonic()
    with pytest.raises(RedisRefusedError, match=said) as caught:
        check_redis(change(tls_redis))

    assert time.monotonic() - began < 30
    assert "password@" not in str(caught.value)
    assert PASSWORD not in str(caught.value)
    assert "wrong-password" not in str(caught.value)


def test_an_outage_is_no_refusal(free_port: Callable[[], int], tls_redis: TlsRedis) -> None:
    assert check_redis(tls_redis.url())
    assert not check_redis(f"redis://:secret@127.0.0.1:{free_port()}/0")
    assert not check_redis(f"rediss://:secret@127.0.0.1:{free_port()}/0")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://:secret@host:6379/0", "redis://:***@host:6379/0"),
        (
            "rediss://user:se:cr%2Fet@host/0?ssl_ca_certs=/a",
            "rediss://user:***@host/0?ssl_ca_certs=/a",
        ),
        ("postgresql+psycopg://me:secret@db/x", "postgresql+psycopg://me:***@db/x"),
        ("redis://host:6379/0", "redis://host:6379/0"),
        ("cannot reach redis://:secret@h:1/0, sorry", "cannot reach redis://:***@h:1/0, sorry"),
        ("sqlite:///data/darkroom.sqlite", "sqlite:///data/darkroom.sqlite"),
    ],
)
def test_passwords_are_masked(url: str, shown: str) -> None:
    assert masked(url) == shown


def test_the_client_works_as_the_check_does(tls_redis: TlsRedis) -> None:
    client = connect(tls_redis.url(), 2)
    assert client.ping()
    client.close()
