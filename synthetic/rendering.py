"""Many faces at once, rendered by several processes."""

from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import numpy as np
from numpy.typing import NDArray

from synthetic.draws import BLOCK, check_range
from synthetic.faces import synthetic_faces

PART = 8 * BLOCK  # faces that a process renders at a time: seconds


def render_faces(
    count: int, seed: int, processes: int, part: int = PART
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The same faces and ages as `synthetic_faces(count, seed)`, by so many processes.

    Args:
        count: of the faces, from index 0 on.
        seed: 0 … 2**64 − 1.
        processes: at most; no more are started than there are parts.
        part: faces that one of them renders at a time.

    Raises:
        ValueError: an argument is outside its range.
    """
    check_range(count, seed, 0)
    if processes < 1:
        raise ValueError(f"processes must be at least 1, not {processes}")
    if part < 1:
        raise ValueError(f"part must be at least 1, not {part}")
    starts = range(0, count, part)
    if processes == 1 or len(starts) < 2:
        return synthetic_faces(count, seed)
    # Forked, they would inherit locks that threads of this process hold.
    with ProcessPoolExecutor(min(processes, len(starts)), get_context("spawn")) as pool:
        parts = list(pool.map(partial(_part, count, seed, part), starts))
    return np.concatenate([faces for faces, _ in parts]), np.concatenate([a for _, a in parts])


def _part(
    count: int, seed: int, part: int, start: int
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    return synthetic_faces(min(part, count - start), seed, start)
