"""What is known of a synthetic face without drawing it: numbers for measuring a model's samples."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from synthetic.canvas import Floats
from synthetic.draws import BLOCK, Draws, check_range
from synthetic.traits import Traits, draw_traits

_READ: dict[str, Callable[[Traits], Floats]] = {
    "male": lambda t: t.male,
    "smile": lambda t: t.smile,
    "open_mouth": lambda t: np.minimum(t.gape, 1),
    "glasses": lambda t: t.glasses,
    "beard": lambda t: np.maximum(t.beard, 0.5 * t.moustache),
    "hair_tone": lambda t: np.minimum(np.sqrt(t.hair) * 1.2, 1),
    "long_hair": lambda t: t.long,
    "thin_hair": lambda t: t.thin,
    "skin_tone": lambda t: np.sqrt(t.skin) * 1.2,
    "yaw": lambda t: t.yaw * 2,
    "light_x": lambda t: np.clip(t.lx / 1.5, -1, 1),
    "brightness": lambda t: t.level,
    "contrast": lambda t: t.spread * 3,
    "hat": lambda t: t.hat,
    "scarf": lambda t: t.scarf,
    "headband": lambda t: t.headband,
    "earrings": lambda t: t.earrings * 2,
    "hand": lambda t: t.hand,
    "bangs": lambda t: np.minimum(t.bangs * 3, 1),
    "curls": lambda t: t.curl,
    "blur": lambda t: t.soft,
    "plump": lambda t: t.fat,
    "backdrop": lambda t: np.sqrt(t.wall) * 1.2,
}

ATTRIBUTES: tuple[str, ...] = tuple(_READ)
"""Names of the columns of `synthetic_attributes`."""


def synthetic_attributes(count: int, seed: int, start: int = 0) -> NDArray[np.float32]:
    """What the same faces of `synthetic_faces` look like, without drawing them.

    Args:
        count: how many faces, at least 0.
        seed: which people, 0 … 2**64 − 1.
        start: index of the first face, at least 0.

    Returns:
        float32 (count, len(ATTRIBUTES)), finite; roughly within 0 and 1 each, but for `smile`,
        `yaw`, `light_x` and `blur`, which have a sign and lie roughly within -1 and 1.

    Raises:
        ValueError: an argument is outside its range.
    """
    check_range(count, seed, start)
    table = np.empty((count, len(ATTRIBUTES)), np.float32)
    for first in range(0, count, BLOCK):
        last = min(first + BLOCK, count)
        people = draw_traits(Draws(seed, range(start + first, start + last), textured=False))
        table[first:last] = np.concatenate([read(people) for read in _READ.values()], axis=1)
    return table
