"""Every accepted job ends, each once, with what a quiet run makes, whatever dies meanwhile."""

import contextlib
import hashlib
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from darkroom.lifeline import lifeline
from jobs.database import Database
from jobs.service import open_service
from jobs.settings import WebSettings
from tests.chaos.attacker import Attacker, Place
from tests.chaos.ledger import API, Client, Entry, Ledger, Watcher, persistently
from tests.chaos.programs import KeptProgram
from tests.chaos.proxy import Proxy

pytestmark = pytest.mark.chaos

LEASE_SECONDS = 4.0
WORKERS = 2
PAUSE_SECONDS = 2.5  # between two submissions of a client, in the mean
CLIENTS = 8
SHARD_IMAGES = 2
REQUESTS = [
    {"count": count, "num_inference_steps": steps, "sampler": sampler, "seed": seed}
    for seed, (count, steps, sampler) in enumerate(
        [
            (1, 20, "ddpm"),
            (2, 30, "ddpm"),
            (3, 20, "ddim"),
            (4, 12, "dpmpp_2m"),
            (1, 150, "ddpm"),
            (3, 10, "ddim"),
            (2, 15, "ddpm"),
        ]
    )
]


class Village:
    """Web, dispatcher and workers as processes that are always started again, and their Redis."""

    def __init__(self, settings: WebSettings, redis_server: Any, folder: Path, line: int) -> None:
        self.checkpoint = ""
        self.service = open_service(settings)
        self.database = Database(settings.database_url)
        self.redis_server = redis_server
        self.url = f"http://127.0.0.1:{settings.port}"
        known = {
            "redis_url": settings.redis_url,
            "database_url": settings.database_url,
            "artifacts_url": settings.artifacts_url,
            "port": settings.port,
            "shard_images": SHARD_IMAGES,
            "threads": 1,
            "lease_seconds": LEASE_SECONDS,
            "resend_seconds": 1.5,
            "poll_seconds": 0.5,
            "heartbeat_seconds": 0.5,
            "save_seconds": 0.3,
            "report_seconds": 0.2,
            "stuck_seconds": 5,
        }

        def keep(name: str, **settings: Any) -> KeptProgram:
            environment = {f"DARKROOM_{k.upper()}": str(v) for k, v in (known | settings).items()}
            return KeptProgram(name, [name.split("-", maxsplit=1)[0]], environment, folder, line)

        self.proxies = [Proxy("127.0.0.1", redis_server.port) for _ in range(WORKERS)]
        self.web, self.dispatcher = keep("web"), keep("dispatcher")
        self.workers = [
            keep(f"worker-{i}", redis_url=f"redis://127.0.0.1:{proxy.port}/0")
            for i, proxy in enumerate(self.proxies)
        ]

    @property
    def place(self) -> Place:
        workers = list(zip(self.workers, self.proxies, strict=True))
        return Place(self.redis_server, self.database, self.web, self.dispatcher, workers)

    def requests(self) -> list[dict[str, Any]]:
        """What the clients ask for."""
        return [
            {"kind": "sample", "params": params | {"checkpoint": self.checkpoint}}
            for params in REQUESTS
        ]

    def whole_images(self, job_id: str) -> bytes:
        """The whole job's images over HTTP, checked against the hash that the API tells."""
        with httpx.Client(base_url=self.url, timeout=10) as http:
            answer = persistently(lambda: http.get(f"{API}/jobs/{job_id}/artifacts"))
            [images] = [
                a for a in answer.json()["items"] if a["shard"] is None and a["role"] == "images"
            ]
            path = images["links"]["self"]
            content = persistently(lambda: http.get(path)).content
        assert hashlib.sha256(content).hexdigest() == images["sha256"]
        return content

    def close(self) -> None:
        for program in (*self.workers, self.dispatcher, self.web):
            program.close()
        for proxy in self.proxies:
            proxy.close()
        self.database.close()


@pytest.fixture
def village(
    web_settings: WebSettings,
    redis_server: Any,
    free_port: Callable[[], int],
    tmp_path: Path,
    checkpoint_file: Path,
) -> Iterator[Village]:
    folder = tmp_path / "logs"
    folder.mkdir()
    settings = web_settings.model_copy(update={"port": free_port(), "shard_images": SHARD_IMAGES})
    with lifeline() as line:
        village = Village(settings, redis_server, folder, line)
        village.checkpoint = village.service.import_checkpoint(checkpoint_file, "small").id
        yield village
        village.close()


def run_clients(village: Village, ledger: Ledger, jobs: int, seed: int) -> None:
    """All clients at once, until each has its jobs accepted."""
    failures: list[BaseException] = []

    def run(index: int) -> None:
        client = Client(village.url, ledger, village.requests())
        try:
            chance = random.Random(f"{seed}-{index}")
            client.submit_all(jobs // CLIENTS, chance, PAUSE_SECONDS)
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def quiet_run(village: Village) -> list[bytes]:
    """What each request makes when nothing goes wrong."""
    ledger = Ledger()
    watcher = Watcher(village.url, ledger)
    with contextlib.closing(watcher), httpx.Client(base_url=village.url, timeout=10) as http:
        ids = []
        for index, request in enumerate(village.requests()):
            answer = persistently(
                lambda request=request: http.post(f"{API}/jobs", json=request), (202,)
            )
            ids.append(answer.json()["id"])
            ledger.accept(Entry(ids[-1], index))
        ledger.wait_ended()
    return [village.whole_images(job_id) for job_id in ids]


def check_entry(village: Village, ledger: Ledger, entry: Entry) -> None:
    """The job ended as it had to."""
    assert entry.end is not None
    status = entry.end[0]
    if entry.canceled:
        assert status == "canceled", entry
    else:
        assert status == "succeeded", village.service.get_job(entry.job_id)


Tell = Callable[[str, object], None]


def test_a_short_ledger(village: Village, record_property: Tell) -> None:
    check_ledger(village, 0, jobs=24, faults=24, record_property=record_property)


@pytest.mark.thorough
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_long_ledger(village: Village, seed: int, record_property: Tell) -> None:
    check_ledger(village, seed, jobs=200, faults=100, record_property=record_property)


def check_ledger(
    village: Village, seed: int, *, jobs: int, faults: int, record_property: Tell
) -> None:
    """Attack while clients submit, then go through all that was accepted."""
    began = time.monotonic()
    expected = quiet_run(village)
    ledger = Ledger()
    watcher = Watcher(village.url, ledger)
    attacker = Attacker(village.place, seed, LEASE_SECONDS, faults, pause_seconds=(0.2, 1.0))
    with contextlib.closing(watcher):
        attacker.start()
        try:
            run_clients(village, ledger, jobs, seed)
            while ledger.open and not attacker.has_done_all:
                time.sleep(0.2)
        finally:
            attacker.stop()
        ledger.wait_ended()
        watcher.look_persistently()
    record_property("told", tell(seed, ledger, attacker, time.monotonic() - began))

    assert len(ledger.entries) == jobs
    assert ledger.changed_ends == []
    for entry in ledger.entries.values():
        check_entry(village, ledger, entry)
    check_effects(village, ledger, expected)


def check_effects(village: Village, ledger: Ledger, expected: Sequence[bytes]) -> None:
    """Each job's images are a quiet run's, and it has each artifact once."""
    for entry in ledger.entries.values():
        artifacts = village.service.list_artifacts(entry.job_id)
        names = [(artifact.shard, artifact.name) for artifact in artifacts]
        assert len(set(names)) == len(names), "an artifact was recorded twice"
        shards = village.service.list_shards(entry.job_id)
        if entry.canceled:
            continue
        assert {shard.status for shard in shards} == {"succeeded"}
        assert village.whole_images(entry.job_id) == expected[entry.request]


def tell(seed: int, ledger: Ledger, attacker: Attacker, seconds: float) -> str:
    """What was done and what came of it, in a few lines."""
    ends = [entry.end[0] for entry in ledger.entries.values() if entry.end]
    faults = ", ".join(f"{count} × {name}" for name, count in sorted(attacker.counts.items()))
    return (
        f"seed {seed}: {len(ledger.entries)} jobs accepted, {ends.count('succeeded')} succeeded, "
        f"{ends.count('canceled')} canceled, {ends.count('failed')} failed, in {seconds:.0f} s; "
        f"{sum(attacker.counts.values())} faults: {faults}; "
        f"{sum(attacker.hits.values())} hits on {len(attacker.hits)} shards"
    )
