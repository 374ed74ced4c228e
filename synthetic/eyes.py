"""Sockets, brows, lids and eyeballs: at this size an eye is a soft dark patch with a glint."""

import numpy as np

from synthetic.canvas import Floats, band, bell, blob, mix, step
from synthetic.draws import Textures
from synthetic.head import Place
from synthetic.traits import Traits


def eyes(t: Traits, p: Place, x: Textures, skin: Floats) -> Floats:
    """Paint brows, lids and eyeballs into the albedo `skin`; return the catchlights to add."""
    k = band(-0.9, -0.1)
    side, v, a, s = p.side[k], p.V[k], p.A[k], skin[k]
    _sockets(t, v, a, s)
    _brows(t, v, a, s, x.fine[k])
    ex = (a - t.eye_x) / t.eye_w  # -1 at the inner corner, 1 at the outer
    ey = v - t.eye_y - t.tilt * ex - t.uneven * side
    arch = np.maximum(1 - ex * ex, 0)
    opening = t.eye_h * (1 + t.wink * side) * arch
    upper, lower = ey + opening, 0.55 * opening - ey  # positive inside the lids
    near = step(1.05 - np.abs(ex), 0.35)
    s *= 1 - t.crease * bell(((upper + 0.065) / 0.04) ** 2) * near
    ix, iy = (a - t.eye_x) * side - t.gaze, ey + 0.010
    inside = step(np.minimum(upper, lower) + 0.008, 0.045)
    s *= 1 - t.ringed * blob(ex, ey, (0, 0), (1.35, 0.13))
    s[...] = mix(s, _eyeball(t, upper, ex, np.sqrt(ix * ix + iy * iy)), inside * near)
    s *= 1 - t.lashes * bell((upper / 0.045) ** 2) * near
    s *= 1 - 0.14 * bell(((lower + 0.005) / 0.035) ** 2) * near
    glint = np.zeros_like(skin)
    glint[k] = t.glint * inside * blob(ix, iy, (0.03 * np.sign(t.lx), -0.025), (0.04, 0.036))
    return glint


def _sockets(t: Traits, v: Floats, a: Floats, s: Floats) -> None:
    depth = t.deep * mix(0.6, 1, t.grow)
    s *= 1 - 0.26 * depth * blob(a, v, (t.eye_x - 0.02, t.eye_y + 0.01), (0.30, 0.16))
    s *= 1 - 0.40 * depth * blob(a, v, (0.21, t.eye_y - 0.04), (0.15, 0.24))  # beside the bridge
    s *= 1 - (0.07 + 0.13 * t.sag) * blob(a, v, (t.eye_x - 0.04, t.eye_y + 0.15), (0.24, 0.12))


def _brows(t: Traits, v: Floats, a: Floats, s: Floats, fine: Floats) -> None:
    bx = (a - t.eye_x + 0.01) / t.brow_w
    by = v - (t.brow_y + t.brow_arch * (bx * bx * 1.2 - 0.6) + t.brow_tilt * bx)
    thick = np.maximum(t.brow_thick * (1 - 0.35 * bx), 0.02)
    strength = t.brow * (1 + 0.2 * fine) * step(1 - np.abs(bx), 0.6)
    s *= 1 - np.clip(strength, 0, 0.92) * bell((by / thick) ** 2 * 0.6)


def _eyeball(t: Traits, upper: Floats, ex: Floats, radius: Floats) -> Floats:
    white = np.minimum(0.4, 0.05 + 0.62 * t.skin) * np.clip(0.35 + upper * 6, 0, 1)
    ball = mix(white * (1.05 - 0.3 * ex * ex), t.iris_tone, step(t.iris - radius, 0.05))
    pupil: Floats = ball * (1 - 0.8 * step(t.iris * 0.4 - radius, 0.04))
    return pupil
