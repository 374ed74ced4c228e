"""`darkroom doctor`: what it finds in a healthy system, and in ones where something is wrong."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from darkroom.doctor import Finding, Level, examine
from darkroom.doctor.redis_checks import check_door
from darkroom.embedded_redis import EmbeddedRedis, url_of
from jobs.artifacts import ArtifactStore
from jobs.database import Database
from jobs.facts import STORE, keep_fact
from jobs.messages import Heartbeat
from jobs.requests import SampleJob, SampleParams
from jobs.service import open_service
from jobs.settings import DatabaseSettings, WebSettings
from jobs.sweeping import name_store
from jobs.tables import Job
from jobs.workers import note_worker, workers_heard_since

NOBODY = "redis://127.0.0.1:1/0"
PAGE_BYTES = 4096
OK, WARNING, PROBLEM = Level.OK, Level.WARNING, Level.PROBLEM


def places(settings: WebSettings, **others: Any) -> DatabaseSettings:
    named = ("redis_url", "database_url", "artifacts_url")
    return DatabaseSettings(**({name: getattr(settings, name) for name in named} | others))


def of(findings: list[Finding], part: str, level: Level) -> list[str]:
    return [each.message for each in findings if (each.part, each.level) == (part, level)]


@pytest.fixture
def alive(web_settings: WebSettings) -> WebSettings:
    """A dispatcher and a worker were heard just now."""
    database = Database(web_settings.database_url)
    said = {"host": "lab", "pid": 1, "version": "0.1.0", "said_at": datetime.now(UTC).isoformat()}
    with database.write() as session:
        keep_fact(session, "dispatcher", said)
        note_worker(session, heartbeat("w-1"))
    database.close()
    return web_settings


def heartbeat(worker: str, **said: Any) -> Heartbeat:
    known = {
        "queue": worker,
        "host": "lab",
        "pid": 1,
        "version": "0.1.0",
        "slots": 1,
        "running": [],
        "capabilities": {"device": "cuda:0", "kinds": ["sample"]},
    }
    return Heartbeat(worker=worker, **(known | said))


def test_a_healthy_system_has_no_problem_and_nothing_is_left_behind(alive: WebSettings) -> None:
    findings = list(examine(places(alive)))

    assert [each for each in findings if each.level is PROBLEM] == []
    assert "w-1 on cuda:0" in of(findings, "workers", OK)
    assert any("every page is whole" in each for each in of(findings, "database", OK))
    assert any("noeviction" in each for each in of(findings, "redis", OK))
    assert any("append-only" in each for each in of(findings, "redis", OK))
    assert not list(Path(alive.artifacts_url).rglob("doctor-*"))
    assert {each.part for each in findings} == {
        *("host", "database", "redis", "artifacts", "dispatcher", "workers")
    }


def test_with_everything_down_each_part_is_a_finding_and_nothing_is_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    settings = DatabaseSettings(
        redis_url=NOBODY,
        database_url=f"sqlite:///{tmp_path}/none/darkroom.sqlite",
        artifacts_url=str(tmp_path / "file" / "artifacts"),
    )

    findings = list(examine(settings))

    for part in ("database", "redis", "artifacts", "work"):
        assert of(findings, part, PROBLEM), part
    assert all(each.advice for each in findings if each.level is not OK)
    assert not (tmp_path / "none").exists()


def test_an_old_schema_is_told(web_settings: WebSettings) -> None:
    database = Database(web_settings.database_url)
    with database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'old'")
    database.close()

    findings = list(examine(places(web_settings)))

    assert any("its schema is old" in each for each in of(findings, "database", PROBLEM))


def test_a_damaged_database_is_told(web_settings: WebSettings) -> None:
    path = Path(web_settings.database_url.removeprefix("sqlite:///"))
    content = bytearray(path.read_bytes())
    for page in range(8 * PAGE_BYTES, len(content), PAGE_BYTES):
        content[page : page + 100] = b"\xff" * 100
    path.write_bytes(content)

    findings = list(examine(places(web_settings)))

    told = " ".join(of(findings, "database", PROBLEM))
    assert "damaged" in told or "malformed" in told


def test_a_careless_redis_is_told(web_settings: WebSettings, redis_server: Any) -> None:
    client = redis_server.client()
    client.config_set("maxmemory-policy", "allkeys-lru")
    client.config_set("appendonly", "no")
    client.close()

    findings = list(examine(places(web_settings)))

    assert any("allkeys-lru" in each for each in of(findings, "redis", PROBLEM))
    assert any("keeps nothing on disk" in each for each in of(findings, "redis", WARNING))


@pytest.mark.parametrize(
    ("url", "level", "words"),
    [
        ("redis://127.0.0.1:6379/0", OK, "this computer"),
        ("redis://gpu.lab.example:6379/0", PROBLEM, "without a password"),
        ("redis://:secret@gpu.lab.example:6379/0", WARNING, "in clear"),
        ("rediss://:secret@gpu.lab.example:6379/0", OK, "TLS and a password"),
    ],
)
def test_who_can_reach_redis_is_read_off_its_url(url: str, level: Level, words: str) -> None:
    finding = check_door(url)

    assert (finding.level, words in finding.message) == (level, True)
    assert "secret" not in finding.message + finding.advice


def test_a_store_of_another_database_is_told(alive: WebSettings) -> None:
    database = Database(alive.database_url)
    with database.write() as session:
        keep_fact(session, "store", {"id": "ours"})
    database.close()
    store = ArtifactStore(alive.artifacts_url)
    store.begin()
    name_store(store, "theirs")

    findings = list(examine(places(alive)))

    assert any("another database (theirs" in each for each in of(findings, "artifacts", PROBLEM))


def test_a_store_that_is_not_mounted_is_told_and_not_written_to(alive: WebSettings) -> None:
    database = Database(alive.database_url)
    with database.write() as session:
        keep_fact(session, STORE, {"id": "ours"})
    database.close()
    Path(alive.artifacts_url).mkdir()

    findings = list(examine(places(alive)))

    assert any("is it mounted?" in each for each in of(findings, "artifacts", PROBLEM))
    assert not any(Path(alive.artifacts_url).iterdir())


def test_who_is_silent_old_or_missing_is_told(alive: WebSettings) -> None:
    database = Database(alive.database_url)
    long_ago = datetime.now(UTC) - timedelta(minutes=5)
    said = {"host": "lab", "pid": 7, "version": "0.1.0", "said_at": long_ago.isoformat()}
    with database.write() as session:
        keep_fact(session, "dispatcher", said)
        note_worker(session, heartbeat("w-2", version="0.0.9"))
        note_worker(session, heartbeat("w-3", slots=0))
        note_worker(session, heartbeat("w-4", protocol=1))
    service = open_service(alive)
    job = service.submit(SampleJob(kind="sample", params=SampleParams()), "ada").job
    with database.write() as session:
        old = datetime.now(UTC) - timedelta(minutes=30)
        session.execute(update(Job).where(Job.id == job.id).values(created_at=old))
        for each in workers_heard_since(session, old):
            each.capabilities = each.capabilities | {"kinds": ["report"]}
    database.close()

    findings = list(examine(places(alive)))

    assert any("process 7 on lab" in each for each in of(findings, "dispatcher", PROBLEM))
    assert any("version 0.0.9" in each for each in of(findings, "workers", WARNING))
    assert any("w-3 on cuda:0 takes no work" in each for each in of(findings, "workers", WARNING))
    assert any(
        "w-4 on cuda:0 speaks protocol 1" in each for each in of(findings, "workers", PROBLEM)
    )
    (stuck,) = of(findings, "jobs", PROBLEM)
    assert "4 shards of sample wait, the first for 30 min" in stuck
    assert "No worker that is online runs kind sample." in stuck


def test_the_command_prints_lines_or_json_and_exits_by_what_it_found(
    alive: WebSettings,
) -> None:
    def run(*arguments: str, **others: str) -> subprocess.CompletedProcess[str]:
        known = places(alive).model_dump() | others
        return subprocess.run(
            [sys.executable, "-m", "darkroom", "doctor", *arguments],
            env=os.environ | {f"DARKROOM_{k.upper()}": str(v) for k, v in known.items()},
            capture_output=True,
            text=True,
            check=False,
        )

    good = run()
    bad = run("--json", redis_url=NOBODY)

    assert good.returncode == 0, good.stdout + good.stderr
    assert all(line.split()[0] in list(Level) for line in good.stdout.splitlines())
    assert bad.returncode == 1
    problems = {each["part"] for each in json.loads(bad.stdout) if each["level"] == "problem"}
    assert "redis" in problems
    assert not problems & {"host", "database", "artifacts"}


def test_the_data_folder_of_up_is_examined_with_its_own_redis(tmp_path: Path) -> None:
    redis = EmbeddedRedis(tmp_path / "redis")
    redis.prepare()

    assert url_of(tmp_path / "redis") == redis.url
    assert url_of(tmp_path / "nothing") is None


def test_a_pause_and_a_drain_are_told_for_what_they_are(alive: WebSettings) -> None:
    service = open_service(alive)
    database = Database(alive.database_url)
    job = service.submit(SampleJob(kind="sample", params=SampleParams()), "ada").job
    with database.write() as session:
        old = datetime.now(UTC) - timedelta(minutes=30)
        session.execute(update(Job).where(Job.id == job.id).values(created_at=old))
    service.drain_worker("w-1", "ada")

    drained = list(examine(places(alive)))
    service.pause_queue("sample", "the lab moves", "ada")
    paused = list(examine(places(alive)))
    database.close()

    assert of(drained, "workers", WARNING) == ["w-1 on cuda:0 is drained: it gets no new shards"]
    (waits,) = of(drained, "jobs", PROBLEM)
    assert waits.endswith("1 worker could run it, but is drained.")
    assert of(paused, "queue", WARNING) == ["kind sample is paused by ada: the lab moves"]
    assert of(paused, "jobs", PROBLEM)[0].endswith("Kind sample is paused by ada: the lab moves")
