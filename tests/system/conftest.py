"""A whole system of real processes around one database, and workers whose words are scripted."""

import base64
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pytest
import torch

from darkroom.lifeline import lifeline
from diffusion import UNet, save_checkpoint
from formats.description import CheckpointDescription
from jobs.broker import queue_key, queue_of
from jobs.contract import JobView
from jobs.messages import (
    Heartbeat,
    Order,
    OrderType,
    Report,
    ReportStatus,
    RunningShard,
    ShardOrder,
)
from jobs.redis_access import connect
from jobs.requests import SampleJob, SampleParams
from jobs.service import JobService, open_service
from jobs.settings import WebSettings
from jobs.streams import WorkerStreams
from tests.chaos.proxy import Proxy

T = TypeVar("T")
ENGINE_THREADS = 1
END_SECONDS = 30.0


def eventually(ask: Callable[[], T | None], seconds: float = 20.0, what: str = "") -> T:
    """What `ask` gives as soon as it is true; fails after a while."""
    deadline = time.monotonic() + seconds
    while True:
        answer = ask()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"waited {seconds} s in vain {what}"
        time.sleep(0.02)


@pytest.fixture(name="eventually")
def _eventually() -> Callable[..., object]:
    """Gives `eventually` to a test."""
    return eventually


class Program:
    """One process of the system, in a session of its own."""

    def __init__(
        self, command: list[str], environment: dict[str, str], log: Path, line: int
    ) -> None:
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "darkroom", "--lifeline", str(line), *command],
                env=os.environ | environment,
                pass_fds=[line],  # it ends with the test, also when that is killed
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    def engine(self) -> psutil.Process:
        """The engine process of this worker."""
        return eventually(self._living_engine, 30, "for an engine")

    def _living_engine(self) -> psutil.Process | None:
        for child in psutil.Process(self.pid).children():
            with contextlib.suppress(psutil.Error):
                if "worker.engine" in child.cmdline() and child.status() != psutil.STATUS_ZOMBIE:
                    return child
        return None

    def send(self, how: signal.Signals) -> None:
        self.process.send_signal(how)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def ask_to_end(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()

    def stop(self, seconds: float = END_SECONDS) -> int:
        self.ask_to_end()
        return self.process.wait(seconds)


class System:
    """Dispatchers and workers as processes, and the service as the web side has it."""

    def __init__(self, settings: WebSettings, folder: Path, line: int) -> None:
        self.settings = settings
        self._line = line
        self.folder = folder
        self.service: JobService = open_service(settings)
        self._programs: list[Program] = []

    def environment(self, **settings: Any) -> dict[str, str]:
        known = {
            "redis_url": self.settings.redis_url,
            "database_url": self.settings.database_url,
            "artifacts_url": self.settings.artifacts_url,
            "threads": ENGINE_THREADS,
        }
        return {f"DARKROOM_{k.upper()}": str(v) for k, v in (known | settings).items()}

    def _start(self, command: list[str], name: str, **settings: Any) -> Program:
        log = self.folder / f"{name}-{len(self._programs)}.log"
        program = Program(command, self.environment(**settings), log, self._line)
        self._programs.append(program)
        return program

    def start_dispatcher(self, **settings: Any) -> Program:
        return self._start(["dispatcher"], "dispatcher", **settings)

    def start_worker(self, *, wait: bool = True, **settings: Any) -> Program:
        before = {worker.id for worker in self.service.list_workers()}
        program = self._start(["worker"], "worker", **settings)
        if wait:
            eventually(
                lambda: [
                    w
                    for w in self.service.list_workers()
                    if w.id not in before and w.slots and w.capabilities
                ],
                60,
                "for a worker",
            )
        return program

    def submit(self, **params: Any) -> JobView:
        request = SampleJob(kind="sample", params=SampleParams(**params))
        return self.service.submit(request, "local").job

    def job(self, job_id: str) -> JobView:
        return self.service.get_job(job_id)

    def wait_ended(self, job_id: str, seconds: float = 60.0) -> JobView:
        def ended() -> JobView | None:
            job = self.job(job_id)
            return job if job.status.has_ended else None

        return eventually(ended, seconds, f"for the end of job {job_id}: {self.job(job_id)}")

    def wait_done(self, job_id: str, done: int, seconds: float = 60.0) -> None:
        eventually(lambda: self.job(job_id).progress.done >= done, seconds, f"for {done} steps")

    def images(self, job_id: str) -> bytes:
        """The bytes of the whole job's image array."""
        artifacts = self.service.list_artifacts(job_id)
        (images,) = [a for a in artifacts if a.shard is None and a.role == "images"]
        return self.service.read_artifact(images.id)

    def saved_steps(self, job_id: str) -> list[int]:
        """The steps of the states that are kept of a job, the lowest first."""
        folder = Path(self.settings.artifacts_url) / "jobs" / job_id
        return sorted(int(p.stem.split("-")[1]) for p in folder.glob("*/*/state-*.safetensors"))

    def resumed_steps(self, of: str) -> list[int]:
        """The steps at which a job, or a shard, was gone on with instead of begun anew."""
        found = re.findall(rf"{of}\S* goes on from step (\d+)", self.logs())
        return [int(step) for step in found]

    def logs(self) -> str:
        return "\n".join(
            f"== {path.name}\n{path.read_text(errors='replace')}"
            for path in sorted(self.folder.glob("*.log"))
        )

    def close(self) -> None:
        for program in self._programs:
            program.ask_to_end()
        for program in self._programs:
            program.process.wait(END_SECONDS)


@pytest.fixture
def system(web_settings: WebSettings, tmp_path: Path) -> Iterator[System]:
    """An empty system: start what the test needs."""
    folder = tmp_path / "logs"
    folder.mkdir()
    with lifeline() as line:
        system = System(web_settings, folder, line)
        yield system
        system.close()
    print(system.logs())  # noqa: T201  (pytest shows it when the test fails)


@pytest.fixture(scope="session")
def checkpoint_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small untrained network as a native checkpoint: cheap, and every byte of it is known."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("checkpoint") / "small.safetensors"
    save_checkpoint(path, UNet(8), CheckpointDescription("unet", 8))
    return path


@pytest.fixture
def checkpoint(system: System, checkpoint_file: Path) -> str:
    """The id of the small network in this system."""
    return system.service.import_checkpoint(checkpoint_file, "small").id


class ScriptedWorker:
    """A worker whose every word the test decides; Celery's message is read off its own queue."""

    def __init__(self, redis_url: str, name: str) -> None:
        self.name = name
        self.streams = WorkerStreams(redis_url, name, block_seconds=0.1)
        self._redis = connect(redis_url, 10)
        self._last_order = "0-0"
        self._seq: dict[tuple[str, int], int] = {}

    def beat(self, *running: tuple[str, int], slots: int = 1, **more: Any) -> None:
        """Say a heartbeat."""
        self.streams.send(
            [
                Heartbeat(
                    worker=self.name,
                    queue=queue_of(self.name),
                    host="scripted",
                    pid=1,
                    version="test",
                    slots=slots,
                    running=[RunningShard(shard_id=s, attempt=a) for s, a in running],
                    **more,
                )
            ]
        )

    def report(self, shard_id: str, attempt: int, status: ReportStatus, **values: Any) -> Report:
        """Say the state of an attempt, and return what was said."""
        seq = self._seq[(shard_id, attempt)] = self._seq.get((shard_id, attempt), 0) + 1
        is_running = status is ReportStatus.RUNNING
        report = Report(
            worker=self.name,
            job_id=shard_id.rsplit("-", 1)[0],
            shard_id=shard_id,
            attempt=attempt,
            seq=values.pop("seq", seq),
            status=status,
            running=[RunningShard(shard_id=shard_id, attempt=attempt)] if is_running else [],
            **values,
        )
        self.streams.send([report])
        return report

    def orders(self) -> list[Order]:
        """New orders, perhaps none."""
        found = self.streams.read_orders(self._last_order)
        if found:
            self._last_order = found[-1][0]
        return [order for _, order in found if order is not None]

    def take_message(self) -> ShardOrder | None:
        """The oldest message in this worker's own Celery queue, taken as Celery takes it."""
        message = self._redis.rpop(queue_key(queue_of(self.name)))
        if message is None:
            return None
        arguments, _, _ = json.loads(base64.b64decode(json.loads(message)["body"]))
        return ShardOrder.model_validate(arguments[0])

    def wait_order(self, order_type: OrderType, seconds: float = 10.0) -> Order:
        """The next order of this type."""

        def find() -> Order | None:
            return next((o for o in self.orders() if o.type is order_type), None)

        return eventually(find, seconds, f"for an order {order_type}")


@pytest.fixture
def scripted_worker(web_settings: WebSettings) -> Callable[[str], ScriptedWorker]:
    """Makes scripted workers."""
    return lambda name: ScriptedWorker(web_settings.redis_url, name)


@pytest.fixture
def proxy(redis_server: Any) -> Iterator[Proxy]:
    """A way to the test's Redis that can be held up, slowed and cut."""
    proxy = Proxy("127.0.0.1", redis_server.port)
    yield proxy
    proxy.close()
