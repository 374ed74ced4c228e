"""The engine that only sleeps speaks as a real one does."""

import pytest

from benchmarks.stand_in_workers import ENGINE
from jobs.artifacts import ArtifactStore
from jobs.messages import ShardOrder
from jobs.requests import SampleParams
from jobs.settings import WorkerSettings
from jobs.works import FileReference, SampleWork
from worker.consumer.engine_process import EngineProcess
from worker.protocol import Finished, Interrupt, InterruptCommand, Interrupted, RunCommand, Working


@pytest.fixture
def settings(tmp_path):
    return WorkerSettings(artifacts_url=str(tmp_path / "artifacts"), report_seconds=0.05)


@pytest.fixture
def start(tmp_path, monkeypatch, settings):
    """Starts one whose shards last so many seconds."""
    started = []

    def start(seconds):
        monkeypatch.setenv("DARKROOM_BENCH_SHARD_SECONDS", str(seconds))
        monkeypatch.setenv("DARKROOM_BENCH_RUNS", str(tmp_path))
        started.append(EngineProcess(settings, ENGINE))
        started[-1].wait_ready()
        return started[-1]

    yield start
    for engine in started:
        engine.end()


@pytest.fixture
def command():
    work = SampleWork(
        params=SampleParams(count=1, num_inference_steps=1),
        checkpoint=FileReference(path="checkpoints/none", sha256="0"),
        first_image=0,
        image_count=1,
    )
    order = ShardOrder(job_id="job", shard_id="job-0", attempt=1, work=work)
    return RunCommand(worker="worker", order=order)


def test_it_sleeps_and_publishes(start, command, settings, tmp_path):
    engine = start(0.2)
    engine.send(command)
    while isinstance(event := engine.next_event(30), Working):
        pass
    assert isinstance(event, Finished)
    manifest = ArtifactStore(settings.artifacts_url).read_manifest("job", "job-0", 1, "worker")
    assert manifest.artifacts == event.artifacts
    begin, end, kind = (tmp_path / str(engine.pid)).read_text().split()
    assert float(end) - float(begin) >= 0.2
    assert kind == "sample"


def test_it_obeys(start, command):
    engine = start(60)
    engine.send(command)
    assert isinstance(engine.next_event(30), Working)
    engine.send(InterruptCommand(interrupt=Interrupt.RETURN))
    while isinstance(event := engine.next_event(30), Working):
        pass
    assert event == Interrupted(interrupt=Interrupt.RETURN, saved_step=0)
