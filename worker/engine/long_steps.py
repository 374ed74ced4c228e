"""Steps that take so long that the engine would be taken for dead, were nothing said meanwhile."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from worker.engine.shard import ShardRun

WORDS_PER_SILENCE = 5


@contextmanager
def spoken_for(shard: ShardRun) -> Iterator[None]:
    """Say that the shard goes on while the body runs, however long one step of it takes.

    The course's network learns a batch in ten seconds on a busy core. Only a step that takes
    longer than `engine_load_seconds` is left silent, so that a hang is noticed.
    """
    settings = shard.settings
    has_ended = threading.Event()

    def speak() -> None:
        while not has_ended.wait(settings.engine_silence_seconds / WORDS_PER_SILENCE):
            if shard.seconds_in_step < settings.engine_load_seconds:
                shard.say_working()

    speaker = threading.Thread(target=speak, name="long-steps", daemon=True)
    speaker.start()
    try:
        yield
    finally:
        has_ended.set()
        speaker.join()
