"""A whole system of real processes around one database, and workers whose words are scripted."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from sqlalchemy import func, select

from darkroom.lifeline import lifeline
from diffusion import UNet, save_checkpoint
from formats.description import CheckpointDescription
from jobs.contract import JobStatus, JobView
from jobs.requests import SampleJob, SampleParams
from jobs.service import JobService, open_service
from jobs.settings import WebSettings
from jobs.tables import Shard
from tests.chaos.proxy import Proxy
from tests.system.patience import eventually
from tests.system.scripted_worker import ScriptedWorker

ENGINE_THREADS = 1
END_SECONDS = 30.0


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

    def known_step(self, job_id: str) -> int:
        """The furthest step that the dispatcher knows to be saved of a shard that runs, or 0."""
        running = select(func.max(Shard.saved_step)).where(
            Shard.job_id == job_id, Shard.status == JobStatus.RUNNING
        )
        with self.service._database.read() as session:
            return session.scalar(running) or 0

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
