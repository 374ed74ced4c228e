"""Disks of a few megabytes that a test can fill, and make read-only."""

import contextlib
import errno
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

MIB = 2**20
TRIES = 50


class SmallDisk:
    """A tmpfs of this test's own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filling = folder / "filling"

    @contextlib.contextmanager
    def full(self) -> Iterator[None]:
        """Within, there is room for no byte more."""
        try:
            with self._filling.open("wb", buffering=0) as file:
                for size in (MIB, 4096, 1):
                    _write_until_refused(file.fileno(), bytes(size))
            yield
        finally:
            self._filling.unlink()

    @contextlib.contextmanager
    def read_only(self) -> Iterator[None]:
        """Within, nothing can be changed, also by root."""
        for _ in range(TRIES - 1):  # it is refused while a file is being written
            with contextlib.suppress(subprocess.CalledProcessError):
                _run("mount", "-o", "remount,ro", str(self.folder))
                break
            time.sleep(0.05)
        else:
            _run("mount", "-o", "remount,ro", str(self.folder))
        try:
            yield
        finally:
            _run("mount", "-o", "remount,rw", str(self.folder))


def _write_until_refused(descriptor: int, piece: bytes) -> None:
    try:
        while True:
            os.write(descriptor, piece)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


@contextlib.contextmanager
def small_disk(folder: Path, mebibytes: int = 48) -> Iterator[SmallDisk]:
    """Mount one over this folder, which is made; skip the test where that is not allowed."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        _run("mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", str(folder))
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no small disk can be mounted here: {error}")
    try:
        yield SmallDisk(folder)
    finally:
        _run("umount", "--lazy", str(folder))
