"""Processes that end with the one that started them, also when it is killed.

The parent holds the write end of a pipe and never writes; each child holds the read end, so that
a child reads the end of file when, and only when, its parent is gone.

    python -m darkroom.lifeline PROGRAM [ARGUMENT …]

runs another program, which cannot watch a pipe, so that Linux sends it SIGTERM in that case.
"""

import contextlib
import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator

SECONDS_TO_END = 30.0
PR_SET_PDEATHSIG = 1  # linux/prctl.h


@contextlib.contextmanager
def lifeline() -> Iterator[int]:
    """A pipe's read end, to be passed to children; the write end closes with this context."""
    read_fd, write_fd = os.pipe()
    try:
        yield read_fd
    finally:
        os.close(write_fd)
        os.close(read_fd)


def follow(read_fd: int) -> None:
    """End this process when the other end of `read_fd` closes: by SIGTERM, 30 s later at once."""
    os.set_inheritable(read_fd, False)
    threading.Thread(target=_end_at_end_of_file, args=(read_fd,), daemon=True).start()


def _end_at_end_of_file(read_fd: int) -> None:
    os.read(read_fd, 1)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(SECONDS_TO_END)
    os._exit(1)


def _run_tied(argv: list[str]) -> None:
    if sys.platform == "linux":
        parent = os.getppid()
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM))
        if os.getppid() != parent:  # it died before the call above
            sys.exit(1)
    os.execvp(argv[0], argv)


if __name__ == "__main__":
    _run_tied(sys.argv[1:])
