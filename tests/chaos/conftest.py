"""What attacks a system is made of the same parts as what merely uses it."""

from tests.system.conftest import (
    _eventually,
    checkpoint,
    checkpoint_file,
    proxy,
    scripted_worker,
    system,
)
from tests.system.interleavings.conftest import shard, shard_row, wait_for

__all__ = [
    "_eventually",
    "checkpoint",
    "checkpoint_file",
    "proxy",
    "scripted_worker",
    "shard",
    "shard_row",
    "system",
    "wait_for",
]
