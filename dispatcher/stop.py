"""The wish to end, which a signal brings at any moment."""

import contextlib
from queue import Empty, SimpleQueue


class Stop:
    """What a signal's handler asks for, and the main thread waits for.

    A `threading.Event` holds a lock while it is set or waited for. A handler that runs at that
    moment, in the same thread, would wait for that lock for ever; what is put into a `SimpleQueue`
    may interrupt anything (https://docs.python.org/3/library/queue.html#queue.SimpleQueue.put).

    Attributes:
        is_asked: whether anybody has asked.
    """

    def __init__(self) -> None:
        """Nobody has asked."""
        self.is_asked = False
        self._asked: SimpleQueue[None] = SimpleQueue()

    def ask(self, *_: object) -> None:
        """Ask; a signal's handler."""
        self.is_asked = True
        self._asked.put(None)

    def wait(self, seconds: float) -> bool:
        """Wait until somebody asks, at most so long; whether somebody has asked."""
        if not self.is_asked:
            with contextlib.suppress(Empty):
                self._asked.get(timeout=seconds)
        return self.is_asked
