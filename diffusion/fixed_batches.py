"""Networks run on batches of one size, so that an image's result does not depend on its company.

In float32 oneDNN chooses kernels by the size of the batch, and they round differently. Within
batches of BATCH no result depends on its place (measured for one and two threads; of 5 it does).
"""

from collections.abc import Callable

import torch
from torch import Tensor

BATCH = 4


def in_fixed_batches(function: Callable[..., Tensor], *rows: Tensor) -> Tensor:
    """`function(*rows)`, BATCH rows at a time; the last ones are filled up and cut again.

    Args:
        function: treats each row alone, but for rounding.
        rows: tensors with the same number of rows, at least 1.

    Returns:
        As many rows.
    """
    count = len(rows[0])
    parts = []
    for first in range(0, count, BATCH):
        some = [_filled(each[first : first + BATCH]) for each in rows]
        parts.append(function(*some)[: count - first])
    return torch.cat(parts)


def _filled(rows: Tensor) -> Tensor:
    missing = BATCH - len(rows)
    return torch.cat([rows, rows[-1:].expand(missing, *rows.shape[1:])]) if missing else rows
