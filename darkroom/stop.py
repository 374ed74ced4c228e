"""How programs that run others are asked to end."""

import contextlib
import signal
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass
class Stop:
    """What SIGINT and SIGTERM ask for: the first an orderly end, the second an immediate one."""

    is_asked: bool = False
    is_urgent: bool = False

    def ask(self, *_: object) -> None:
        """Note one signal."""
        self.is_urgent = self.is_asked
        self.is_asked = True


@contextlib.contextmanager
def stop_signals() -> Iterator[Stop]:
    """SIGINT and SIGTERM ask for the end, within this context, in place of ending the process."""
    stop = Stop()
    before = {number: signal.signal(number, stop.ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
