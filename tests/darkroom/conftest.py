"""A whole `darkroom up` of real processes, and the commands that talk to it."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import torch

from diffusion import UNet, save_checkpoint
from formats.description import CheckpointDescription

START_SECONDS = 90.0
END_SECONDS = 45.0


class Up:
    """A running `darkroom up` on a free port."""

    def __init__(self, folder: Path, *options: str, **environment: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.data_dir = folder / "data"
        self.log = folder / "up.log"
        self.lines: list[str] = []
        command = [sys.executable, "-m", "darkroom", "up", "--port", "0"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--data-dir", str(self.data_dir), *options],
                env={**os.environ, "DARKROOM_THREADS": "1", **environment},
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                process_group=0,  # as a shell starts it
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as stdout:
            for line in stdout:
                self.lines.append(line.rstrip("\n"))

    @property
    def url(self) -> str:
        """Waits for the line that says it."""
        deadline = time.monotonic() + START_SECONDS
        while not self.lines:
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)
        word, url = self.lines[0].split(" ")
        assert word == "ready"
        return url

    def tree(self) -> list[psutil.Process]:
        """All processes that it started, and that those started."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def child(self, name: str) -> psutil.Process:
        """The child `redis`, `web`, `dispatcher` or `worker`."""
        for process in psutil.Process(self.process.pid).children():
            words = process.cmdline()
            if name in words or (name == "redis" and "redis-server" in words[0]):
                return process
        raise LookupError(f"{name} is not among the children")

    def press_ctrl_c(self) -> int:
        """Interrupt it and all that it started, as a terminal does; give the exit code."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self._wait()

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Give the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self._wait()

    def _wait(self) -> int:
        code = self.process.wait(END_SECONDS)
        self._reader.join(END_SECONDS)
        return code


Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def start_up(tmp_path: Path) -> Iterator[Callable[..., Up]]:
    """Starts stacks that end with the test."""
    stacks: list[Up] = []

    def start(*options: str, **environment: str) -> Up:
        stacks.append(Up(tmp_path, *options, **environment))
        return stacks[-1]

    yield start
    for stack in stacks:
        stack.stop()
    print((tmp_path / "up.log").read_text())  # noqa: T201  (shown when the test fails)


@pytest.fixture(scope="session")
def shared_up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """One stack with a worker, for tests that only talk to it."""
    stack = Up(tmp_path_factory.mktemp("shared"))
    assert stack.url
    yield stack
    assert stack.stop() == 0


@pytest.fixture
def darkroom(tmp_path: Path) -> Run:
    """Runs `darkroom` with arguments and gives its exit code and output."""

    def run(*arguments: str, url: str | None = None) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, **({"DARKROOM_URL": url} if url else {})}
        return subprocess.run(
            [sys.executable, "-m", "darkroom", *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def checkpoint_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small untrained network as a native checkpoint."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("checkpoint") / "small.safetensors"
    save_checkpoint(path, UNet(8), CheckpointDescription("unet", 8))
    return path


@pytest.fixture(scope="session")
def checkpoint(shared_up: Up, checkpoint_file: Path) -> str:
    """The id of a small network, imported by the command."""
    done = subprocess.run(
        [sys.executable, "-m", "darkroom", "import", "checkpoint", str(checkpoint_file)],
        env={**os.environ, "DARKROOM_URL": shared_up.url},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "width 8" in done.stderr
    return done.stdout.strip()
