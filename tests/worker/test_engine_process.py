import itertools
import os
import signal
import subprocess
from collections.abc import Iterator

import psutil
import pytest

from jobs.artifacts import STATE_NAME, checkpoint_path
from jobs.settings import environment_of
from worker.consumer.engine_process import ENGINE, EngineDiedError
from worker.protocol import (
    Failed,
    Finished,
    Interrupt,
    InterruptCommand,
    Interrupted,
    PreviewMade,
    RunCommand,
    Warm,
    Working,
    event_adapter,
)

SILENCE_SECONDS = 60.0
WORKER = "worker-1"


@pytest.fixture(scope="module")
def noisy_library(tmp_path_factory) -> Iterator[str]:
    """A folder for PYTHONPATH whose module makes every Python process print at its start."""
    folder = tmp_path_factory.mktemp("noisy")
    (folder / "sitecustomize.py").write_text(
        "import atexit, os\n"
        "print('a library says hello', flush=True)\n"
        'os.write(1, b\'{"type": "ready"}\\n\\xff\\xfe\\n\')\n'
    )
    return str(folder)


def events_until(engine, kind: type) -> list:
    events = []
    while not events or not isinstance(events[-1], kind):
        events.append(engine.next_event(SILENCE_SECONDS))
        assert isinstance(events[-1], kind | Working | PreviewMade | Warm), events[-1]
    return events


def test_an_engine_says_what_it_can_and_ends_when_its_stdin_closes(start_engine):
    engine = start_engine()
    ready = engine.wait_ready()
    process = psutil.Process(engine.pid)

    assert ready.capabilities["device"] == "cpu"
    assert ready.capabilities["threads"] == 1
    assert ready.capabilities["precision"] == "float32"
    assert engine.is_alive

    engine.end()

    assert not engine.is_alive
    assert not process.is_running()


def test_a_shard_is_sampled_shown_and_published(start_engine, keep_network, make_order, artifacts):
    engine = start_engine()
    engine.wait_ready()

    order = make_order(keep_network(), num_inference_steps=20)
    engine.send(RunCommand(worker=WORKER, order=order))
    events = events_until(engine, Finished)

    working = [event for event in events if isinstance(event, Working)]
    dones = [done for done, _ in itertools.groupby(event.done for event in working)]
    assert [done for done in dones if done] == [4 * step for step in range(1, 21)]
    assert working[-1].memory_bytes > 2**20
    assert any(isinstance(event, PreviewMade) for event in events)
    assert events[-1].done == 80
    warm = [event.checkpoints for event in events if isinstance(event, Warm)]
    assert warm == [[order.work.checkpoint.sha256]]  # told before the slot is free
    manifest = artifacts.read_manifest("job", "job-0", 1, WORKER)
    assert manifest.artifacts == events[-1].artifacts
    assert [(a.role, a.shape) for a in manifest.artifacts] == [("images", [4, 48, 48])]
    made = artifacts.names(f"jobs/job/job-0/1-{WORKER}")
    assert [name for name in made if not STATE_NAME.fullmatch(name)] == [
        "images.npy",
        "manifest.json",
    ]


def test_a_killed_engine_is_described_with_all_that_is_known(
    start_engine, keep_network, make_order
):
    engine = start_engine()
    engine.wait_ready()
    order = make_order(keep_network(), num_inference_steps=1000)
    engine.send(RunCommand(worker=WORKER, order=order))
    assert isinstance(engine.next_event(SILENCE_SECONDS), Working)

    os.kill(engine.pid, signal.SIGKILL)
    with pytest.raises(EngineDiedError) as death:
        events_until(engine, Finished)

    info = death.value.info
    assert info.code == "engine_died"
    assert "SIGKILL" in info.message
    assert info.details["signal"] == "SIGKILL"
    assert info.details["exit_code"] is None
    assert info.details["memory_bytes"] > 2**20
    assert any("job-0" in line for line in info.details["log"])


def test_an_engine_whose_consumer_is_gone_keeps_what_it_saved(
    worker_settings, keep_network, make_order, artifacts
):
    order = make_order(keep_network(), num_inference_steps=1000)
    command = RunCommand(worker=WORKER, order=order).model_dump_json().encode()
    environment = os.environ | environment_of(worker_settings)
    with subprocess.Popen(
        ENGINE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    ) as engine:
        engine.stdin.write(command + b"\n")
        engine.stdin.flush()
        said = map(event_adapter.validate_json, engine.stdout)
        saved = next(e for e in said if isinstance(e, Working) and e.saved_step > 0).saved_step
        engine.stdout.close()  # its stdin stays open: it notices at its next word

        assert engine.wait(SILENCE_SECONDS) == 0

    kept = artifacts.names(f"jobs/job/job-0/1-{WORKER}")
    assert max(int(each[1]) for each in map(STATE_NAME.fullmatch, kept) if each) >= saved


def test_an_engine_that_cannot_start_says_why_in_its_log(start_engine):
    engine = start_engine(precision="float8")

    with pytest.raises(EngineDiedError) as death:
        engine.wait_ready()

    assert death.value.info.details["exit_code"] == 1
    assert any("float8" in line for line in death.value.info.details["log"])


def test_an_engine_that_hangs_is_ended(start_engine, keep_network, make_order):
    engine = start_engine()
    engine.wait_ready()
    os.kill(engine.pid, signal.SIGSTOP)
    engine.send(RunCommand(worker=WORKER, order=make_order(keep_network())))

    with pytest.raises(EngineDiedError) as death:
        engine.next_event(0.5)

    assert death.value.info.code == "engine_hung"
    assert not engine.is_alive


def test_what_a_library_prints_does_not_break_the_protocol(
    start_engine, keep_network, make_order, noisy_library, monkeypatch
):
    monkeypatch.setenv("PYTHONPATH", noisy_library, prepend=os.pathsep)
    engine = start_engine()
    engine.wait_ready()

    order = make_order(keep_network(), num_inference_steps=2)
    engine.send(RunCommand(worker=WORKER, order=order))

    assert events_until(engine, Finished)[-1].done == 8


def first_step(engine) -> Working:
    """What it says of its first step; a slow store has it say before that it has done none."""
    while True:
        event = engine.next_event(SILENCE_SECONDS)
        assert isinstance(event, Working)
        if event.done:
            return event


def test_an_engine_is_interrupted_and_goes_on_where_it_was(start_engine, keep_network, make_order):
    engine = start_engine(save_seconds=3600)
    engine.wait_ready()
    reference = keep_network()
    order = make_order(reference, num_inference_steps=1000)
    engine.send(RunCommand(worker=WORKER, order=order))
    first_step(engine)

    engine.send(InterruptCommand(interrupt=Interrupt.RETURN))
    broken_off = events_until(engine, Interrupted)[-1]
    assert broken_off.interrupt is Interrupt.RETURN
    assert 0 < broken_off.saved_step < 1000  # saved because it was asked to leave

    again = make_order(reference, attempt=2, num_inference_steps=1000)
    engine.send(RunCommand(worker="worker-2", order=again))
    assert first_step(engine).done == 4 * (broken_off.saved_step + 1)
    engine.send(InterruptCommand(interrupt=Interrupt.STOP))
    assert events_until(engine, Interrupted)[-1].interrupt is Interrupt.STOP


def test_a_file_that_is_gone_fails_the_shard_at_once(
    start_engine, keep_network, make_order, artifacts
):
    engine = start_engine()
    engine.wait_ready()
    reference = keep_network()
    artifacts.delete(reference.path)

    engine.send(RunCommand(worker=WORKER, order=make_order(reference)))
    *before, failed = events_until(engine, Failed)

    assert failed.error.code == "artifact_file_not_found"
    assert not any(event.notice for event in before if isinstance(event, Working))


def test_another_file_than_the_order_names_fails_the_shard_and_not_the_engine(
    start_engine, keep_network, make_order, artifacts
):
    engine = start_engine()
    engine.wait_ready()
    reference = keep_network()
    content = artifacts.read_bytes(reference.path)
    artifacts.write_bytes(reference.path, content[:-1] + bytes([content[-1] ^ 1]))

    engine.send(RunCommand(worker=WORKER, order=make_order(reference)))
    failed = events_until(engine, Failed)[-1]

    assert failed.error.code == "artifact_file_changed"
    assert reference.sha256 in failed.error.message

    artifacts.write_bytes(checkpoint_path(reference.sha256), content)
    engine.send(RunCommand(worker=WORKER, order=make_order(reference, 2, num_inference_steps=1)))
    assert events_until(engine, Finished)[-1].done == 4


def test_a_network_that_overflows_fails_with_the_step_and_the_image(
    start_engine, keep_network, make_order
):
    engine = start_engine()
    engine.wait_ready()

    order = make_order(keep_network(scale=1e6), num_inference_steps=10)
    engine.send(RunCommand(worker=WORKER, order=order))
    failed = events_until(engine, Failed)[-1]

    assert failed.error.code == "sampling_failed"
    assert "step 0" in failed.error.message
    assert "NaN or infinite" in failed.error.message
