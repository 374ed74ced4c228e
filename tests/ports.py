"""Ports for servers that must be told theirs, which nobody else takes before they listen."""

import contextlib
import itertools
import os
import random
import socket

PORTS = range(10_000, 32_768)  # below those that the system gives to whoever asks for any

_process = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_of_all = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
_own = PORTS[_process::_of_all]  # of this test process alone
_next = itertools.cycle(random.sample(_own, len(_own)))  # other test runs go another way


def free_port_of(address: str = "127.0.0.1") -> int:
    """A port that nobody listens on, another one each time."""
    while True:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((address, port := next(_next)))
            return port
