"""Processes that end with the one that started them."""

import os
import signal
import subprocess
import sys

import psutil

FOLLOWER = """
import sys, time
from darkroom import lifeline
lifeline.follow(int(sys.argv[1]))
print("following", flush=True)
time.sleep(60)
"""

PARENT_OF_A_PROGRAM = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-m", "darkroom.lifeline", "sleep", "60"])
print(child.pid, flush=True)
time.sleep(60)
"""


def test_a_follower_ends_by_sigterm_when_the_pipe_closes() -> None:
    read_fd, write_fd = os.pipe()
    with subprocess.Popen(
        [sys.executable, "-c", FOLLOWER, str(read_fd)],
        pass_fds=(read_fd,),
        stdout=subprocess.PIPE,
        text=True,
    ) as follower:
        assert follower.stdout is not None
        assert follower.stdout.readline() == "following\n"
        os.close(read_fd)
        assert follower.poll() is None

        os.close(write_fd)

        assert follower.wait(10) == -signal.SIGTERM


def test_another_program_ends_with_its_killed_parent() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT_OF_A_PROGRAM], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        while child.name() != "sleep":  # until it has become that program
            assert child.is_running()

        parent.kill()

    assert psutil.wait_procs([child], timeout=10)[1] == []
