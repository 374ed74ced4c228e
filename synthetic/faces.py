"""The faces themselves: people drawn, lit and photographed, a few at a time."""

import numpy as np
from numpy.typing import NDArray

from synthetic.canvas import FACE_SIZE, Floats, mix, step
from synthetic.draws import BLOCK, Draws, check_range
from synthetic.eyes import eyes, glasses
from synthetic.hair import hair
from synthetic.head import face_coordinates, head_shape, relief
from synthetic.mouth import beard, mouth, nose
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
    # Sorted so that whole chunks have neither beard nor glasses, whose drawing is then skipped.
    order = np.lexsort([people.stubble.ravel() > 0, people.glasses.ravel() > 0])
    for i in range(0, len(order), CHUNK):
        rows = order[i : i + CHUNK]
        faces[rows] = _render(people.of(rows), draws.textures(rows), draws.grain[rows])
    return faces


def _render(t: Traits, textures: list[Floats], grain: Floats) -> NDArray[np.uint8]:
    coarse, rough, fine = textures
    U, V = face_coordinates(t)
    A = np.abs(U)
    inside = head_shape(t, A, V)
    z = relief(t, U, V, inside)
    skin: Floats = t.skin * (1 + 0.03 * rough + 0.012 * fine) * wrinkles(t, V, A, z, fine)
    darker_edges = 0.68 + 0.32 * step(inside - 0.22, 0.5)
    skin *= (1 - 0.3 * t.spots * step(fine - 1.3, 0.5)) * darker_edges
    nose(t, U, V, skin)
    mouth(t, U, V, skin, z)
    beard(t, U, V, skin, fine)
    glint = eyes(t, U, V, skin)
    shade, shine = light(t, z)
    lit = skin * (shade + t.gloss / t.skin * shine) + glint
    image = mix(scene(t, U, V, coarse, rough), lit, step(inside, 0.05))
    mask, tone = hair(t, U, V, coarse, fine)
    image = mix(image, tone * (0.5 + 0.5 * shade), mask)
    glasses(t, V, A, image)
    return camera(t, image, grain)
