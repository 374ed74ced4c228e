"""Two workers on hosts of their own, behind a password and TLS; one is cut off and comes back."""

import contextlib
import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from darkroom.lifeline import lifeline
from jobs.contract import JobStatus, WorkerView
from jobs.messages import Order, OrderType
from jobs.redis_access import connect
from jobs.settings import WebSettings
from jobs.streams import UPDATES
from tests.chaos.hosts import Hosts, why_not
from tests.system.conftest import System
from tests.system.patience import eventually
from tests.tls_redis import PASSWORD, TlsRedis, free_port_of, serve_tls_redis

WORKER_KEY = "worker-secret"
USER_KEY = "user-secret"
LEASE_SECONDS = 4.0
JOB = {"count": 2, "num_inference_steps": 600, "seed": 11, "timesteps": "trailing"}

pytestmark = [pytest.mark.chaos, pytest.mark.thorough, pytest.mark.timeout(400)]


class Site:
    """A system on this computer, and workers elsewhere."""

    def __init__(self, hosts: Hosts, system: System, redis: TlsRedis, store_url: str) -> None:
        self.hosts = hosts
        self.system = system
        self._redis = redis
        self._store_url = store_url
        self.data = Path(system.settings.database_url.removeprefix("sqlite:///")).parent
        self.artifacts = Path(system.settings.artifacts_url)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.numbers: dict[str, int] = {}

    def start_worker(self, name: str, *, over_http: bool) -> WorkerView:
        """A worker on a host of its own; over HTTP it sees no file of ours at all."""
        number = self.numbers[name] = self.hosts.add()
        environment = {
            "DARKROOM_REDIS_URL": self._redis.url(),
            "DARKROOM_ARTIFACTS_URL": self._store_url if over_http else str(self.artifacts),
            "DARKROOM_ARTIFACTS_KEY": WORKER_KEY if over_http else "",
            "DARKROOM_NAME": name,
            "DARKROOM_THREADS": "1",
            "DARKROOM_HEARTBEAT_SECONDS": "0.5",
            "DARKROOM_SAVE_SECONDS": "0.5",
            "DARKROOM_ENGINE_SILENCE_SECONDS": "200",
        }
        hidden = [self.data, self.artifacts] if over_http else [self.data]
        log = self.system.folder / f"{name}.log"
        arguments = ["-m", "darkroom", "worker"]
        process = self.hosts.start(number, arguments, hidden, environment, log)
        self.processes[name] = process
        worker: WorkerView = eventually(lambda: self.online(name), 90, f"for {name}")
        root = Path(f"/proc/{process.pid}/root")
        assert (self.data / "darkroom.sqlite").exists()
        assert list((root / self.data.relative_to("/")).iterdir()) == []
        seen = list((root / self.artifacts.relative_to("/")).iterdir())
        assert (seen == []) == over_http
        return worker

    def online(self, name: str) -> WorkerView | None:
        found = [w for w in self.system.service.list_workers() if w.id.startswith(f"{name}-")]
        return next((w for w in found if w.slots and w.capabilities), None)

    def engine_of(self, name: str) -> psutil.Process:
        children = psutil.Process(self.processes[name].pid).children()
        (engine,) = [each for each in children if "worker.engine" in each.cmdline()]
        return engine

    def close(self) -> None:
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()
            process.wait()


@pytest.fixture
def site(tmp_path: Path, database_url: str) -> Iterator[Site]:
    reason = why_not()
    if reason is not None:
        pytest.skip(reason)
    logs = tmp_path / "logs"
    logs.mkdir()
    (tmp_path / "artifacts").mkdir()
    with contextlib.ExitStack() as stack:
        hosts = Hosts()
        stack.callback(hosts.close)
        redis = stack.enter_context(serve_tls_redis(tmp_path / "redis", hosts.address))
        settings = WebSettings(
            redis_url=redis.url(),
            database_url=database_url,
            artifacts_url=str(tmp_path / "artifacts"),
            host=hosts.address,
            port=free_port_of(hosts.address),
            api_keys={USER_KEY: "ada"},
            worker_keys={WORKER_KEY: "elsewhere"},
            allowed_hosts=[hosts.address],
        )
        system = System(settings, logs, stack.enter_context(lifeline()))
        stack.callback(system.close)
        system._start(
            ["web"],
            "web",
            host=settings.host,
            port=settings.port,
            **{
                name: json.dumps(getattr(settings, name))
                for name in ("api_keys", "worker_keys", "allowed_hosts")
            },
        )
        system.start_dispatcher(lease_seconds=LEASE_SECONDS)
        store_url = f"http://{hosts.address}:{settings.port}/api/v1/store"
        site = Site(hosts, system, redis, store_url)
        stack.callback(site.close)
        yield site
    print(system.logs())  # noqa: T201  (pytest shows it when the test fails)


def orders_to(site: Site, worker: str) -> list[Order]:
    client = connect(site.system.settings.redis_url, 5)
    entries: Any = client.xrange(f"darkroom:orders:{worker}")
    client.close()
    return [Order.model_validate_json(fields[b"data"]) for _, fields in entries]


def ends_of(site: Site, job_id: str) -> int:
    """How often this job was said to have ended, counted by the number of the change."""
    client = connect(site.system.settings.redis_url, 5)
    entries: Any = client.xrange(UPDATES)
    client.close()
    updates = [json.loads(fields[b"data"]) for _, fields in entries if fields[b"data"]]
    ended = [u for u in updates if u["job_id"] == job_id and JobStatus(u["status"]).has_ended]
    return len({update["status_seq"] for update in ended})


def test_a_host_that_is_cut_off_and_comes_back_changes_nothing(
    site: Site, checkpoint_file: Path
) -> None:
    system = site.system
    checkpoint = system.service.import_checkpoint(checkpoint_file, "small").id
    far = site.start_worker("far", over_http=True)
    assert far.usage is not None
    assert far.usage.memory_bytes > 0
    quiet = system.submit(checkpoint=checkpoint, **JOB)
    assert system.wait_ended(quiet.id, 120).status is JobStatus.SUCCEEDED  # by HTTP alone
    near = site.start_worker("near", over_http=False)

    job = system.submit(checkpoint=checkpoint, **JOB)

    def held() -> tuple[str, str] | None:
        shard = system.service.list_shards(job.id)[0]
        is_going = shard.status is JobStatus.RUNNING and shard.progress.done > 0
        return (shard.id, shard.worker) if is_going and shard.worker else None

    shard_id, lost = eventually(held, 30, "for the first step")
    name, other = ("far", near.id) if lost == far.id else ("near", far.id)
    site.hosts.cut_off(site.numbers[name])
    engine = site.engine_of(name)
    engine.suspend()  # so that it is still at it when it comes back, however fast this computer is
    eventually(
        lambda: (s := system.service.list_shards(job.id)[0]).worker == other and s.attempt == 2,
        40,
        f"for {other} to take over from {lost}",
    )
    stops = len([o for o in orders_to(site, lost) if o.type is OrderType.STOP])
    site.hosts.connect(site.numbers[name])
    engine.resume()

    def was_stopped() -> bool:
        told = [o for o in orders_to(site, lost) if o.type is OrderType.STOP]
        return any((o.shard_id, o.attempt) == (shard_id, 1) for o in told[stops:])

    eventually(was_stopped, 60, f"for {lost} to be told to stop")
    assert system.wait_ended(job.id, 120).status is JobStatus.SUCCEEDED
    idle = eventually(
        lambda: (w := site.online(name)) and not w.running and w, 60, f"for {lost} to be free"
    )
    assert idle.id == lost  # the same process: it came back, and was not started again

    first, *_ = system.service.list_shards(job.id)
    assert (first.worker, first.attempt, first.losses) == (other, 2, 1)
    check_as_quiet(site, job.id, quiet.id)


def check_as_quiet(site: Site, job_id: str, quiet_id: str) -> None:
    """The job has the result of the quiet one, once, and nobody's secret is in a log."""
    system = site.system
    assert system.images(job_id) == system.images(quiet_id)
    assert ends_of(site, job_id) == ends_of(site, quiet_id) == 1
    roles = [(a.role, a.shard) for a in system.service.list_artifacts(job_id)]
    assert len(roles) == len(set(roles)) == len(system.service.list_artifacts(quiet_id))
    logs = system.logs()
    assert PASSWORD not in logs
    assert WORKER_KEY not in logs
