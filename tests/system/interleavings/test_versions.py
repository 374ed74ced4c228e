"""Workers and dispatchers of different versions: told, listed, and given no work."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jobs.contract import JobStatus, WorkerView
from jobs.messages import PROTOCOL, OrderType, ReportStatus
from jobs.redis_access import connect
from jobs.streams import FIELD, REPORTS
from tests.system.conftest import System
from tests.system.patience import eventually

SMALL = {"count": 2, "num_inference_steps": 2, "seed": 3}
OTHER = 99
OTHER_WORKER = f"""
import sys
import worker.consumer.link as link
link.PROTOCOL = {OTHER}
from darkroom.__main__ import main
main(prog_name="darkroom")
"""


def say(system: System, message: dict[str, Any]) -> None:
    client = connect(system.settings.redis_url, 5)
    client.xadd(REPORTS, {FIELD: json.dumps(message)})
    client.close()


def said_to(system: System, worker: str) -> set[str]:
    """The names of all fields in the orders to this worker."""
    client = connect(system.settings.redis_url, 5)
    entries: Any = client.xrange(f"darkroom:orders:{worker}")
    client.close()
    return {name for _, fields in entries for name in json.loads(fields[FIELD.encode()])}


def find(system: System, name: str) -> WorkerView | None:
    return next((w for w in system.service.list_workers() if w.id.startswith(name)), None)


def test_a_heartbeat_of_another_shape_lists_its_worker_and_gets_no_work(
    system, checkpoint, scripted_worker
):
    system.start_dispatcher()
    beat = {
        "type": "heartbeat",
        "worker": "newer-1",
        "protocol": OTHER,
        "host": "lab",
        "version": "9.9",
        "lanes": [{"free": 4}],
        "slots": "many",
    }
    say(system, {"type": "heartbeat", "worker": 7})  # nobody can tell what this is
    say(system, {**beat, "worker": "nameless-2", "protocol": PROTOCOL})  # nor this, of our own
    say(system, beat)

    listed = eventually(lambda: find(system, "newer-1"))

    assert (listed.protocol, listed.version, listed.slots) == (OTHER, "9.9", 0)
    assert listed.incompatible == (
        f"It is version 9.9 and speaks protocol {OTHER}; this Darkroom is version 0.1.0 and speaks "
        f"{PROTOCOL}: install the same version on both."
    )
    assert find(system, "nameless-2") is None
    told = scripted_worker("newer-1").wait_order(OrderType.INCOMPATIBLE)
    assert (told.protocol, told.version) == (PROTOCOL, "0.1.0")
    assert not said_to(system, "newer-1") - {"type", "protocol", "version"}
    job = system.submit(checkpoint=checkpoint, **SMALL)
    say(system, beat)
    same = scripted_worker("same-1")
    same.beat()
    eventually(same.take_message)
    shard = system.service.list_shards(job.id)[0]
    assert shard.worker == "same-1"
    same.report(shard.id, 1, ReportStatus.RUNNING)
    same.wait_order(OrderType.ACKNOWLEDGE)
    # Nothing that an older worker would not know.
    assert said_to(system, "same-1") == {"type", "shard_id", "attempt", "seq"}


def test_a_worker_of_another_version_stays_says_so_once_and_understands_what_it_can(
    system, checkpoint
):
    system.start_dispatcher()
    log = system.folder / "other.log"
    with other_worker(system, log) as process:
        listed = eventually(lambda: find(system, "other-"), 60)
        eventually(lambda: " ready." in log.read_text(), 60)  # then it knows what SIGTERM means
        eventually(lambda: "it gets no work until the same version" in log.read_text(), 20)
        job = system.submit(checkpoint=checkpoint, **SMALL)
        client = connect(system.settings.redis_url, 5)
        order = {"type": "dance", "protocol": OTHER, "version": "9.9", "steps": [1]}
        client.xadd(f"darkroom:orders:{listed.id}", {FIELD: json.dumps(order)})
        client.close()
        understood = "order 'dance' of version 9.9 cannot be understood"
        eventually(lambda: understood in log.read_text(), 20)

        assert process.poll() is None
        assert log.read_text().count("it gets no work until the same version") == 1
        assert system.job(job.id).status is JobStatus.QUEUED
        assert system.service.list_shards(job.id)[0].worker is None
    assert process.returncode == 0


@contextmanager
def other_worker(system: System, log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A real worker whose messages say another protocol."""
    line = system._line
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", OTHER_WORKER, "--lifeline", str(line), "worker"],
            env=os.environ | system.environment(name="other"),
            pass_fds=[line],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)
