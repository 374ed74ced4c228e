"""The faces themselves: people drawn, lit and photographed, a few at a time."""

import numpy as np
from numpy.typing import NDArray

from synthetic.beard import beard
from synthetic.canvas import FACE_SIZE, Floats, mix, step
from synthetic.draws import BLOCK, Draws, Textures, check_range
from synthetic.extras import RARE, extras
from synthetic.eyes import eyes
from synthetic.hair import hair
from synthetic.head import place, relief
from synthetic.mouth import mouth
from synthetic.nose import nose
from synthetic.photograph import camera, light, scene
from synthetic.traits import Traits, draw_traits
from synthetic.wrinkles import wrinkles

CHUNK = 16  # people rendered together: few enough for the processor's cache


def synthetic_faces(
    count: int, seed: int, start: int = 0
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Render faces with a known age; face i depends on the seed and on i alone.

    So a smaller count is a prefix of a larger one, and any range can be made anywhere.

    Args:
        count: how many faces, at least 0.
        seed: which people, 0 … 2**64 − 1.
        start: index of the first face, at least 0.

    Returns:
        The faces, gray uint8 (count, 48, 48), and their ages in years, int64 (count,), within
        1 and 100.

    Raises:
        ValueError: an argument is outside its range.
    """
    check_range(count, seed, start)
    faces = np.empty((count, FACE_SIZE, FACE_SIZE), np.uint8)
    ages = np.empty(count, np.int64)
    for first in range(0, count, BLOCK):
        block = slice(first, min(first + BLOCK, count))
        draws = Draws(seed, range(start + block.start, start + block.stop))
        people = draw_traits(draws)
        ages[block] = people.age[:, 0]
        faces[block] = _render_block(people, draws)
    return faces, ages


def _render_block(people: Traits, draws: Draws) -> NDArray[np.uint8]:
    faces = np.empty((len(people.age), FACE_SIZE, FACE_SIZE), np.uint8)
    np.empty(8 << 20, np.uint8)  # freed at once: then glibc keeps freed memory, 1.4 times as fast
    order = _alike(people)
    people = people.of(order)
    for first in range(0, len(order), CHUNK):
        chunk = slice(first, first + CHUNK)
        rows = order[chunk]
        faces[rows] = _render(people.of(chunk), draws.textures(rows))
    return faces


def _alike(people: Traits) -> NDArray[np.intp]:
    """An order in which whole chunks lack what is rare, whose drawing is then skipped."""
    rarest_last = ("gape", "stubble", "glasses", "earrings", *RARE)
    return np.lexsort([people.__dict__[name].ravel() > 0 for name in rarest_last])


def _render(t: Traits, x: Textures) -> NDArray[np.uint8]:
    p = place(t, x)
    z = relief(t, p, x)
    skin: Floats = t.skin * wrinkles(t, p, x, z)
    skin *= 1 + t.blotches * x.rough + 0.012 * x.fine - t.spots * step(x.fine - 1.3, 0.6)
    skin *= 0.74 + 0.26 * step(p.inside - 0.16, 0.44)  # the sides turn away
    nose(t, p, skin)
    mouth(t, p, x, skin, z)
    beard(t, p, x, skin)
    glint = eyes(t, p, x, skin)
    shade, shine = light(t, z)
    mask, tone, shadow = hair(t, p, x)
    lit = (skin * shade + t.gloss * shine) * (1 - t.hair_shadow * shadow) + glint
    image = mix(scene(t, p, x), lit, step(p.inside, 0.08))
    image = mix(image, tone * (0.45 + 0.55 * shade), mask)
    extras(t, p, x, shade, image)
    return camera(t, image, x.grain)
