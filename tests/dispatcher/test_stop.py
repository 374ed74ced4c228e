"""A signal may come while another is dealt with, or while the program waits for one."""

import subprocess
import sys
import time

from dispatcher.stop import Stop

SIGNALS = """
import signal
from dispatcher.stop import Stop

stop = Stop()
signal.signal(signal.SIGALRM, stop.ask)
signal.setitimer(signal.ITIMER_REAL, 1e-3, 2e-4)
for _ in range(100_000):
    stop.wait(1)
    stop.ask()
signal.setitimer(signal.ITIMER_REAL, 0)
assert stop.is_asked
"""


def test_signals_at_any_moment_are_taken() -> None:
    """With a `threading.Event` in its place this fails: a handler waits for its own thread."""
    subprocess.run([sys.executable, "-c", SIGNALS], check=True, timeout=60)


def test_waiting_ends_when_it_is_asked_or_when_the_time_is_over() -> None:
    stop = Stop()
    began = time.monotonic()
    assert not stop.wait(0.05)
    assert time.monotonic() - began >= 0.05

    stop.ask()

    assert stop.wait(60)
    assert stop.is_asked
