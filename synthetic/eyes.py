"""Brows, lids, eyeballs and spectacles."""

import numpy as np

from synthetic.canvas import Floats, band, bell, blob, mix, step
from synthetic.traits import Traits


def eyes(t: Traits, U: Floats, V: Floats, skin: Floats) -> Floats:
    """Paint brows, lids and eyeballs into the albedo `skin`; return the catchlights to add."""
    k = band(-0.85, -0.05)
    side, v, a, s = np.sign(U[k]), V[k], np.abs(U[k]), skin[k]
    _brows(t, v, a, s)
    s *= 1 - 0.36 * blob(
        a, v, (t.eye_x - 0.05, t.eye_y - 0.02), (0.30, 0.17)
    )  # the socket's shadow
    ex = (a - t.eye_x) / t.eye_w  # -1 at the inner corner, 1 at the outer
    ey = v - t.eye_y - t.tilt * ex
    arch = np.maximum(1 - ex * ex, 0)
    upper, lower = ey + t.eye_h * arch, t.eye_h * 0.65 * arch - ey  # positive inside the lids
    inside = step(np.minimum(upper, lower), 0.025) * (arch > 0)
    ix = (a - t.eye_x) * side - t.gaze
    near = step(1.08 - np.abs(ex), 0.2)
    s *= 1 - 0.35 * bell(((upper + 0.055) / 0.028) ** 2) * near  # the lid's crease
    s[...] = mix(s, _eyeball(t, upper, np.sqrt(ix * ix + ey * ey)), inside)
    lashes = 0.50 + 0.35 * (1 - t.male) * t.grow
    s *= 1 - bell(((upper + 0.008) / 0.030) ** 2) * near * lashes
    s *= 1 - 0.22 * bell((lower / 0.025) ** 2) * near
    glint = np.zeros_like(skin)
    glint[k] = 0.55 * inside * blob(ix, ey, (0.03 * np.sign(t.lx), -0.022), (0.03, 0.03))
    return glint


def _brows(t: Traits, v: Floats, a: Floats, s: Floats) -> None:
    bx = (a - t.eye_x + 0.02) / 0.26
    by = v - (t.brow_y + t.brow_arch * (bx * bx * 1.2 - 0.6) + t.brow_tilt * bx)
    thick = np.maximum(0.034 + 0.018 * t.masc - 0.016 * bx, 0.008)
    strength = t.brow * (0.85 - 1.2 * t.hair).clip(0.12)
    s *= 1 - strength * bell((by / thick) ** 2 * 0.5) * step(0.98 - np.abs(bx), 0.5)


def _eyeball(t: Traits, upper: Floats, radius: Floats) -> Floats:
    white = np.minimum(0.45, 0.14 + 0.55 * t.skin) * np.clip(0.4 + upper * 8, 0, 1)
    ball = mix(white, t.iris_tone * (0.5 + 5 * radius), step(t.iris - radius, 0.02))
    pupil: Floats = mix(ball, 0.008, step(t.iris * 0.45 - radius, 0.02))
    return pupil


def glasses(t: Traits, V: Floats, A: Floats, image: Floats) -> None:
    """Draw spectacle frames over the lit image, in place."""
    if not t.glasses.any():
        return
    k = band(-0.8, 0.05)
    a, v, s = A[k], V[k], image[k]
    q, p = ((a - t.eye_x - 0.01) / 0.245) ** 2, ((v - t.eye_y - 0.03) / 0.175) ** 2
    ring = bell(((q * q + p * p + 0.6 * q * p - 1) / 0.55) ** 2)
    bridge = bell(((v - t.eye_y + 0.03 - 0.1 * a) / 0.035) ** 2) * step(0.21 - a, 0.05)
    ear_to_ear = step(a - 0.66, 0.04) * step(t.width * 0.98 - a, 0.04)
    arm = bell(((v - t.eye_y + 0.04) / 0.04) ** 2) * ear_to_ear
    s *= 1 - np.maximum(np.maximum(ring, bridge), arm) * np.minimum(t.glasses * 1.1, 0.95)
