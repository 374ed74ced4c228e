"""Hosts of their own: network namespaces with an address each, behind one bridge.

What runs in one sees its own loopback, the bridge and nothing else of the network, and of the files
not those that are hidden from it: a tmpfs lies over them in its own mount namespace.
"""

import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

NETWORK = "10.91.{number}"


def why_not() -> str | None:
    """Why this computer cannot have such hosts, or None."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "network namespaces need root on Linux"
    if shutil.which("ip") is None:
        return "there is no `ip` (Debian: iproute2)"
    name = f"dk{secrets.token_hex(3)}"
    for command in (["ip", "link", "add", name, "type", "bridge"], ["ip", "netns", "add", name]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            return f"this kernel gives no network of our own: {done.stderr.strip()}"
        _ip("link" if "link" in command else "netns", "del", name)
    return None


class Hosts:
    """A bridge with an address of ours, and hosts that reach it."""

    def __init__(self) -> None:
        """Make the bridge."""
        self._name = f"dk{secrets.token_hex(3)}"
        self._network = NETWORK.format(number=1 + secrets.randbelow(250))
        self._hosts: list[str] = []
        self.address = f"{self._network}.1"
        _ip("link", "add", self._name, "type", "bridge")
        _ip("address", "add", f"{self.address}/24", "dev", self._name)
        _ip("link", "set", self._name, "up")

    def add(self) -> int:
        """Another host; gives its number, from 0."""
        number = len(self._hosts)
        host = f"{self._name}{number}"
        self._hosts.append(host)
        _ip("netns", "add", host)
        _ip("link", "add", f"{host}r", "type", "veth", "peer", "name", "eth0", "netns", host)
        _ip("link", "set", f"{host}r", "master", self._name, "up")
        _ip("-n", host, "address", "add", f"{self.address_of(number)}/24", "dev", "eth0")
        _ip("-n", host, "link", "set", "eth0", "up")
        _ip("-n", host, "link", "set", "lo", "up")
        return number

    def address_of(self, number: int) -> str:
        return f"{self._network}.{number + 2}"

    def cut_off(self, number: int) -> None:
        """Pull the plug."""
        _ip("link", "set", f"{self._hosts[number]}r", "down")

    def connect(self, number: int) -> None:
        """Put it back."""
        _ip("link", "set", f"{self._hosts[number]}r", "up")

    def start(
        self,
        number: int,
        arguments: Sequence[str],
        hidden: Sequence[Path],
        environment: Mapping[str, str],
        log: Path,
    ) -> "subprocess.Popen[bytes]":
        """Start a program of Python there, with these folders hidden from it."""
        mounts = "".join(f"mount -t tmpfs -o size=64k hidden '{path}' && " for path in hidden)
        command = [sys.executable, *arguments]
        line = f'{mounts}exec "$0" "$@"'
        with log.open("ab") as output:
            return subprocess.Popen(
                [*("ip", "netns", "exec", self._hosts[number], "sh", "-c", line), *command],
                env=os.environ | dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def close(self) -> None:
        """Leave nothing of it behind."""
        for host in self._hosts:
            _ip("netns", "del", host)
        _ip("link", "del", self._name)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)
