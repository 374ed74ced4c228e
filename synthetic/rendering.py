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
    count: int, seed: int, processes: int
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The same faces and ages as `synthetic_faces(count, seed)`, by so many processes.

    Raises:
        ValueError: an argument is outside its range.
    """
    check_range(count, seed, 0)
    if processes < 1:
        raise ValueError(f"processes must be at least 1, not {processes}")
    starts = range(0, count, PART)
    if processes == 1 or len(starts) < 2:
        return synthetic_faces(count, seed)
    # Forked, they would inherit locks that threads of this process hold.
    with ProcessPoolExecutor(min(processes, len(starts)), get_context("spawn")) as pool:
        parts = list(pool.map(partial(_part, count, seed), starts))
    return np.concatenate([faces for faces, _ in parts]), np.concatenate([a for _, a in parts])


def _part(count: int, seed: int, start: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    return synthetic_faces(min(PART, count - start), seed, start)
