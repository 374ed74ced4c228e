"""Child processes: restarted with growing delays, ended in order."""

import io
import sys
import time
from pathlib import Path

import psutil
import pytest

from darkroom.supervisor import Output, Program, Supervisor, describe_status
from tests.system.patience import eventually

SLEEPER = "import time; print('here', flush=True); time.sleep(60)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    "print('here', flush=True); time.sleep(60)"
)


def program(code: str, name: str = "child", stage: int = 0, grace: float = 10.0) -> Program:
    return Program(name, [sys.executable, "-c", code], stage, grace=grace)


def wait_for_line(stream: io.StringIO, text: str) -> None:
    deadline = time.monotonic() + 60
    while text not in stream.getvalue():
        assert time.monotonic() < deadline, stream.getvalue()
        time.sleep(0.01)


def test_a_child_that_keeps_dying_is_started_with_growing_delays(
    caplog: pytest.LogCaptureFixture,
) -> None:
    supervisor = Supervisor(Output(io.StringIO()))
    supervisor.start(program("raise SystemExit(3)"))

    deadline = time.monotonic() + 60
    while len(caplog.records) < 3:
        assert time.monotonic() < deadline
        supervisor.keep_running()
        time.sleep(0.01)
    supervisor.stop(lambda: False)

    messages = [record.getMessage() for record in caplog.records]
    assert ["exit code 3" in message for message in messages] == [True] * 3
    delays = [message.rpartition(" in ")[2] for message in messages]
    assert delays == ["0.2 s", "0.4 s", "0.8 s"]


def test_the_lines_of_a_child_carry_its_name() -> None:
    stream = io.StringIO()
    supervisor = Supervisor(Output(stream))
    supervisor.start(program(SLEEPER, "worker-1"))

    wait_for_line(stream, "  worker-1 | here\n")
    supervisor.stop(lambda: False)


def test_the_higher_stage_has_ended_before_the_lower_one_is_told() -> None:
    stream = io.StringIO()
    supervisor = Supervisor(Output(stream))
    tell = (
        "import signal, sys, time\n"
        "def end(*_): print('{0} ends', flush=True); time.sleep(0.3); sys.exit()\n"
        "signal.signal(signal.SIGTERM, end); print('{0} here', flush=True); time.sleep(60)"
    )
    supervisor.start(program(tell.format("road"), "road", stage=0))
    supervisor.start(program(tell.format("worker"), "worker", stage=1))
    wait_for_line(stream, "road here")
    wait_for_line(stream, "worker here")

    supervisor.stop(lambda: False)
    wait_for_line(stream, "road ends")

    assert stream.getvalue().index("worker ends") < stream.getvalue().index("road ends")


def test_a_child_that_does_not_end_is_killed_when_its_grace_is_over() -> None:
    stream = io.StringIO()
    supervisor = Supervisor(Output(stream))
    supervisor.start(program(STUBBORN, grace=0.5))
    wait_for_line(stream, "here")
    process = psutil.Process(supervisor.children[0].process.pid)

    started_at = time.monotonic()
    supervisor.stop(lambda: False)

    assert 0.4 < time.monotonic() - started_at < 30  # it would sleep for 60
    assert not process.is_running()


def test_an_urgent_stop_waits_for_nobody() -> None:
    stream = io.StringIO()
    supervisor = Supervisor(Output(stream))
    supervisor.start(program(STUBBORN, grace=30.0))
    wait_for_line(stream, "here")

    started_at = time.monotonic()
    supervisor.stop(lambda: True)

    assert time.monotonic() - started_at < 25


@pytest.mark.parametrize(
    ("status", "words"), [(0, "exit code 0"), (3, "exit code 3"), (-9, "signal SIGKILL")]
)
def test_a_status_is_described(status: int, words: str) -> None:
    assert describe_status(status) == words


def test_a_child_that_cannot_be_started_again_is_tried_later_and_ends_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("darkroom.supervisor.LONGEST_DELAY", 0.2)
    stream = io.StringIO()
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\necho here\n")
    script.chmod(0o755)
    supervisor = Supervisor(Output(stream))
    supervisor.start(Program("child", [str(script)], 0))
    wait_for_line(stream, "here")
    hidden = script.rename(tmp_path / "hidden")  # as without memory: no process is to be had

    def kept_running_until(text: str) -> bool:
        supervisor.keep_running()
        return text in caplog.text + stream.getvalue()

    eventually(lambda: kept_running_until("cannot start child: [Errno 2]"))
    script.write_text("#!/bin/sh\necho back\nsleep 60\n")
    script.chmod(hidden.stat().st_mode)
    eventually(lambda: kept_running_until("back"))
    supervisor.stop(lambda: False)
