"""The marks of age: forehead lines, crow's feet, pouches and folds."""

import numpy as np

from synthetic.canvas import Floats, band, bell, blob, mix, step
from synthetic.traits import Traits


def wrinkles(t: Traits, V: Floats, A: Floats, z: Floats, fine: Floats) -> Floats:
    """Carve the marks of age into the height z in place; return a darkening map, 1 = none."""
    shade = np.ones_like(z)
    _forehead(t, V, A, fine, shade)
    _round_the_eyes(t, V, A, z, shade)
    _round_the_mouth(t, V, A, z, shade)
    k = band(-0.1, 1)
    a, v = A[k], V[k]
    cracks = np.maximum(np.sin((a + 0.35 * v + 0.05 * fine[k]) * 55), 0)
    creased = cracks * blob(a, v, (0.58, 0.25), (0.26, 0.45))
    shade[k] -= 0.34 * np.clip(t.wrinkle - 0.5, 0, 1) * creased
    return shade


def _forehead(t: Traits, V: Floats, A: Floats, fine: Floats, shade: Floats) -> None:
    k = band(-1, -0.45)
    a, v = A[k], V[k]
    lines = np.maximum(np.sin((v + 0.06 * a * a + 0.012 * fine[k]) * t.lines + 9 * t.part), 0) ** 2
    above_brows = bell((a / 0.8) ** 2) * step(t.brow_y - 0.03 - v, 0.12)
    shade[k] -= 0.40 * lines * above_brows * t.wrinkle
    shade[k] -= 0.30 * t.wrinkle * blob(a, v, (0.065, t.brow_y + 0.02), (0.035, 0.11))  # frown


def _round_the_eyes(t: Traits, V: Floats, A: Floats, z: Floats, shade: Floats) -> None:
    k = band(-0.6, 0.15)
    a, v = A[k], V[k]
    dx, dy = a - (t.eye_x + t.eye_w * 0.9), v - t.eye_y
    rays = np.maximum(np.sin(dy / (np.abs(dx) + 0.12) * 9 + 5 * t.part), 0)
    crows_feet = rays * blob(dx, dy, (0.10, 0), (0.13, 0.18))
    shade[k] -= 0.38 * crows_feet * np.clip(t.wrinkle * (0.8 + 0.5 * t.smile), 0, 1.2)
    ex = (a - t.eye_x + 0.01) / (t.eye_w * 1.15)
    bag = v - (t.eye_y + 0.175 + 0.03 * t.sag - 0.06 * ex * ex)
    fade = np.maximum(1 - ex * ex, 0)
    shade[k] -= (0.10 + 0.32 * t.sag) * bell((bag / 0.045) ** 2) * fade
    z[k] += 0.035 * t.sag * bell(((bag + 0.065) / 0.065) ** 2) * fade  # the pouch above the line


def _round_the_mouth(t: Traits, V: Floats, A: Floats, z: Floats, shade: Floats) -> None:
    k = band(-0.1, 1)
    a, v = A[k], V[k]
    s = (v - (t.nose_y - 0.05)) / (t.mouth_y - t.nose_y + 0.12)
    # From the wing of the nose to the corner of the mouth.
    fold = a - (t.nose_w + 0.02 + (t.mouth_w - t.nose_w + 0.08) * np.clip(s, 0, 1.4))
    smile_depth = 0.30 * np.maximum(t.smile, 0) * mix(0.5, 1, t.grow)
    depth = bell(((s - 0.5) / 0.75) ** 2) * (0.10 + smile_depth + 0.75 * t.sag)
    shade[k] -= 0.38 * depth * bell((fold / 0.05) ** 2)
    z[k] += 0.045 * depth * bell(((fold - 0.09) / 0.10) ** 2)  # the cheek rolls over it
    line = a - (t.mouth_w + 0.035 + 0.06 * (v - t.mouth_y))
    shade[k] -= 0.30 * t.sag * blob(line, v, (0, t.mouth_y + 0.14), (0.035, 0.18))  # marionette
