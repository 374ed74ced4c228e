import subprocess
import sys
import time

import psutil
import pytest

from worker.consumer.gpus import visible_count
from worker.consumer.usage import UsageMeter
from worker.engine.runners import offered_kinds

ALLOCATED = 64 * 2**20
BUSY = f"""
held = bytearray({ALLOCATED})
print("ready", flush=True)
while True: pass
"""


def test_memory_and_cpu_are_those_of_consumer_and_engine() -> None:
    meter = UsageMeter()
    alone = meter.measure(None, None)
    with subprocess.Popen([sys.executable, "-c", BUSY], stdout=subprocess.PIPE) as engine:
        assert engine.stdout is not None
        engine.stdout.readline()
        meter.measure(engine.pid, None)
        time.sleep(0.5)
        both = meter.measure(engine.pid, None)
        engine.kill()

    assert both.memory_bytes >= alone.memory_bytes + ALLOCATED * 0.9
    assert both.host_memory_bytes == psutil.virtual_memory().total
    assert both.cpu_percent > 5  # it spins; the rest of this computer may be busy too
    assert (both.gpu_memory_bytes, both.gpu_percent) == (None, None)


def test_an_engine_that_is_gone_uses_nothing() -> None:
    meter = UsageMeter()
    with subprocess.Popen([sys.executable, "-c", ""]) as engine:
        pass

    assert 0 < meter.measure(engine.pid, "GPU-of-nobody").memory_bytes < 10**10


@pytest.mark.parametrize(
    ("present", "visible", "count"),
    [
        (4, None, 4),
        (4, "", 0),
        (4, "-1", 0),
        (4, "2", 1),
        (4, "0, 3", 2),
        (4, "1,-1,2", 1),
        (1, "0,1,2", 1),
        (0, "0", 0),
        (2, "GPU-6a1f,MIG-77", 2),
    ],
)
def test_one_worker_is_started_for_each_gpu_that_cuda_shows(
    present: int, visible: str | None, count: int
) -> None:
    assert visible_count(present, visible) == count


def test_a_worker_takes_the_kinds_that_it_is_for_and_assembles_them() -> None:
    known = ["sample", "merge", "assemble", "report"]

    assert offered_kinds(known, []) == ["assemble", "merge", "report", "sample"]
    assert offered_kinds(known, ["merge"]) == ["assemble", "merge"]
