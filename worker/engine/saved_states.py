"""Saved states of a shard, each a file of its attempt's folder with the step in its name.

Nothing here drops the newest: the dispatcher does, when it has recorded that the shard succeeded.
"""

import logging
import re
from collections.abc import Iterator

from jobs.artifacts import STATE_NAME, shard_folder
from jobs.errors import ArtifactFileNotFoundError, ArtifactStoreError
from worker.engine.shard import ShardRun

log = logging.getLogger(__name__)

ATTEMPT_NAME = re.compile(r"(\d+)-.+")


def save_state(shard: ShardRun, step: int, content: bytes) -> None:
    """Publish the state whole; then drop this attempt's older one.

    Of earlier attempts the furthest state stays, should this one be damaged. A failure is only
    logged: the shard goes on, and only a later loss costs more.
    """
    path = _path(shard, step)
    try:
        with shard.hastily():
            earlier = sorted(_found(shard, shard.order.attempt - 1))
            replaced = [older for _, older in earlier[:-1]] + [_path(shard, shard.saved_step)]
            shard.artifacts.write_bytes(path, content)
            shard.saved_step = step
            for older in replaced:
                if older != path:
                    shard.artifacts.delete(older)
        shard.notice = None
    except ArtifactStoreError as error:
        log.warning("cannot save step %d, or drop what it replaces: %s", step, error)
        if shard.saved_step != step:
            shard.notice = f"Worker {shard.worker} goes on, but cannot save: {error.message}."


def saved_states(shard: ShardRun, *, looks_again: bool = True) -> Iterator[tuple[int, bytes]]:
    """Steps and states that any attempt at this shard has saved whole, the furthest first."""
    for step, path in sorted(_found(shard, shard.order.attempt), reverse=True):
        try:
            yield step, shard.artifacts.read_bytes(path)
        except ArtifactFileNotFoundError:  # an attempt that was taken back may still save others
            if looks_again:
                yield from saved_states(shard, looks_again=False)
                return
        except ArtifactStoreError as error:
            log.warning("cannot go on from %s: %s", path, error)


def go_on_from(shard: ShardRun, step: int) -> None:
    """This state was taken up."""
    log.info("shard %s goes on from step %d", shard.order.shard_id, step)
    shard.saved_step = step


def _path(shard: ShardRun, step: int) -> str:
    return f"{shard.folder}/state-{step}.safetensors"


def _found(shard: ShardRun, last_attempt: int) -> list[tuple[int, str]]:
    """Steps and paths of the states that attempts up to `last_attempt` have saved."""
    folder = shard_folder(shard.order.job_id, shard.order.shard_id)
    return [
        (int(state[1]), f"{folder}/{name}/{state[0]}")
        for name in shard.artifacts.names(folder)
        if (attempt := ATTEMPT_NAME.fullmatch(name)) and int(attempt[1]) <= last_attempt
        for file in shard.artifacts.names(f"{folder}/{name}")
        if (state := STATE_NAME.fullmatch(file))
    ]
