"""What becomes of an engine that dies while it has nothing to do; the engines only sleep."""

import io
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence

import psutil
import pytest

from benchmarks.stand_in_workers import ENGINE
from jobs.settings import WorkerSettings
from tests.system.patience import eventually
from worker.consumer import engine_process, supervisor
from worker.consumer.desk import ReportDesk
from worker.consumer.supervisor import Supervisor

DIED = "the engine died while it had nothing to do"
READY = """print('{"type": "ready", "capabilities": {}}', flush=True)\nimport time, os\n"""
DUMB = READY + "os.close(1)\ntime.sleep(600)\n"


@pytest.fixture
def start(
    worker_settings: WorkerSettings, tmp_path, monkeypatch
) -> Iterator[Callable[..., Supervisor]]:
    """Starts a supervisor with its engine; both are ended with the test."""
    monkeypatch.setenv("DARKROOM_BENCH_SHARD_SECONDS", "0.1")
    monkeypatch.setenv("DARKROOM_BENCH_RUNS", str(tmp_path))
    started = []

    def start(engine: Sequence[str] = ENGINE) -> Supervisor:
        desk = ReportDesk("worker-1", worker_settings.report_seconds)
        started.append(Supervisor(worker_settings, "worker-1", desk, lambda *_: None, engine))
        started[-1].start()
        return started[-1]

    yield start
    for each in started:
        each.close()


@pytest.fixture
def kill_engine() -> Callable[[Supervisor], float]:
    """Kills the engine of a supervisor once it is ready; seconds until there is another."""

    def kill(of: Supervisor) -> float:
        eventually(lambda: of.is_ready)
        pid, began = of.engine_pid, time.monotonic()
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: of.engine_pid not in (None, pid))
        return time.monotonic() - began

    return kill


def test_engines_that_die_early_again_and_again_are_waited_for_longer(
    start, kill_engine, monkeypatch
):
    monkeypatch.setattr(supervisor, "RESTART_PAUSES", (0.0, 0.0, 1.5))
    flighty = start()
    kill_engine(flighty)
    assert kill_engine(flighty) >= 1.5

    monkeypatch.setattr(supervisor, "STABLE_SECONDS", 0.0)  # and one that had lived is not
    monkeypatch.setattr(supervisor, "RESTART_PAUSES", (0.0, 60.0))
    kill_engine(flighty)
    kill_engine(flighty)


def test_an_engine_that_closes_its_pipe_and_stays_is_ended_and_replaced(start, monkeypatch):
    monkeypatch.setattr(engine_process, "EXIT_SECONDS", 0.3)
    monkeypatch.setattr(supervisor, "RESTART_PAUSES", (0.0,))
    dumb = start([sys.executable, "-c", DUMB])
    first = eventually(lambda: dumb.engine_pid)

    eventually(lambda: not psutil.pid_exists(first))
    eventually(lambda: dumb.engine_pid not in (None, first))


def test_a_shard_that_finds_the_engine_dead_waits_for_the_next_one(
    start, make_order, keep_network, artifacts, caplog
):
    caplog.set_level(logging.WARNING)
    surprised = start()
    eventually(lambda: surprised.is_ready)
    engine = psutil.Process(surprised.engine_pid)

    with surprised._changed:  # so that the shard comes before anybody else has noticed
        engine.kill()
        eventually(lambda: not engine.is_running() or engine.status() == psutil.STATUS_ZOMBIE)
        surprised.run(make_order(keep_network()))

    assert artifacts.read_manifest("job", "job-0", 1, "worker-1") is not None
    assert [record.message for record in caplog.records].count(DIED) == 1


def test_an_engine_goes_on_where_nobody_reads_its_log(start, monkeypatch):
    with io.StringIO() as closed:
        monkeypatch.setattr(sys, "stderr", closed)
    talk = "import sys\nsys.stderr.write('x\\n' * 100_000)\n"
    loud = start([sys.executable, "-c", talk + READY + "sys.stdin.read()\n"])

    eventually(lambda: loud.is_ready)
