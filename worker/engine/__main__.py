"""`python -m worker.engine`: take commands on stdin, say events on stdout."""

from worker.engine.main import run

run()
