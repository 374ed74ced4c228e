"""Nose, mouth and beard, painted into the skin."""

import numpy as np

from synthetic.canvas import Floats, band, bell, blob, mix, step
from synthetic.traits import Traits


def nose(t: Traits, U: Floats, V: Floats, skin: Floats) -> None:
    """Paint nostrils and the soft and cast shadows around the nose into the albedo, in place."""
    k = band(-0.65, 0.5)
    u, v, s = U[k] - 0.22 * t.yaw, V[k], skin[k]
    a, side, old = np.abs(u), np.clip(t.lx, -0.9, 0.9), mix(0.4, 1, t.grow)
    s *= 1 - 0.28 * t.grow * blob(a, v, (0.19, t.eye_y + 0.04), (0.13, 0.22))  # inner eye corner
    s *= 1 - 0.22 * blob(a, v, (t.nose_w * 1.35, t.nose_y - 0.02), (0.12, 0.16))  # beside the wings
    s *= 1 - 0.75 * blob(a, v, (t.nose_w * 0.52, t.nose_y + 0.06), (0.055, 0.036))  # nostrils
    s *= 1 - 0.20 * old * blob(a, v, (0, t.nose_y + 0.09), (t.nose_w * 1.2, 0.07))
    s *= 1 - 0.28 * blob(a, v, (t.nose_w * 1.08, t.nose_y + 0.01), (0.03, 0.08))
    cast = (-np.sign(side) * t.nose_w * 0.9, t.nose_y - 0.06)
    s *= 1 - 0.30 * np.abs(side) * blob(u, v, cast, (0.11, 0.24))
    s *= 1 - 0.25 * old * blob(a, v, (0, t.mouth_y - 0.15), (0.30, 0.15))  # the upper lip recedes


def mouth(t: Traits, U: Floats, V: Floats, skin: Floats, z: Floats) -> None:
    """Paint lips, teeth and the inside of the mouth, and round the lower lip in z, in place."""
    k = band(0, 0.9)
    v, s = V[k], skin[k]
    mx = (U[k] - 0.06 * t.yaw) / t.mouth_w  # -1 … 1 between the corners
    m2, ma = mx * mx, np.abs(mx)
    arch = np.maximum(1 - m2, 0)
    body = np.sqrt(arch)
    my = v - (t.mouth_y + t.skew * mx + 0.035 * t.smile - 0.085 * t.smile * m2)
    gap = 0.20 * t.gape * arch
    top, bottom = my + 0.35 * gap, my - 0.65 * gap  # edges of the opening
    above, below = t.lip * (body - 0.25 * bell(m2 / 0.03)), t.lip * 1.25 * body
    lips = step(top + above, 0.03) * step(below - bottom, 0.03) * step(arch - 0.06, 0.12)
    z[k] += 0.02 * bell(((bottom - below * 0.55) / (t.lip + 0.03)) ** 2) * body
    s *= mix(1, t.lip_tone * (1 + 0.15 * step(my - 0.01, 0.03)), lips)
    s *= 1 - 0.7 * bell((my / 0.028) ** 2) * step(1 - ma, 0.2) * (gap < 0.02)  # the closed line
    s *= 1 - 0.45 * blob(ma, my, (1.02, -0.005), (0.20, 0.07))  # corners
    s *= 1 - 0.30 * blob(mx, bottom, (0, t.lip * 1.3 + 0.05), (0.8, 0.07))  # below the lip
    hole = step(np.minimum(top, -bottom), 0.02) * step(gap - 0.015, 0.02)
    row = step(top - 0.012, 0.02) * step(gap * mix(0.35, 0.85, t.grin) - top, 0.03)
    teeth = row * step(0.85 - ma, 0.35)
    s[...] = mix(s, np.maximum((0.26 + 0.36 * t.skin) * (t.age > 1) * teeth, 0.02), hole)


def beard(t: Traits, U: Floats, V: Floats, skin: Floats, fine: Floats) -> None:
    """Mix stubble, moustache and beard into the albedo, in place."""
    if not t.stubble.any():
        return
    k = band(-0.1, 1)
    mx, v, a, s = U[k] / (t.mouth_w * 1.15), V[k], np.abs(U[k]), skin[k]
    around_lips = np.clip(1 - 2.2 * blob(mx, v, (0, t.mouth_y + 0.01), (1, 0.12)), 0, 1)
    area = step(v + 0.35 * a - 0.48, 0.25) * around_lips
    lip_line = bell(((v - t.mouth_y + 0.115 - 0.10 * mx * mx) / 0.075) ** 2)
    lash = bell((a / (t.mouth_w * 1.3)) ** 2) * lip_line
    amount = (t.beard * area + t.moustache * lash) * (0.85 + 0.2 * fine[k])
    s[...] = mix(s, np.minimum(t.hair * (0.8 + 0.22 * fine[k]), 0.45), np.clip(amount, 0, 0.9))
    s *= 1 - t.stubble * 0.5 * np.maximum(area, lash) * (1 - t.beard)
