"""The marks of age: forehead lines, crow's feet, pouches and folds."""

import numpy as np

from synthetic.canvas import Floats, band, bell, blob, mix, step
from synthetic.draws import Textures
from synthetic.head import Place
from synthetic.traits import Traits


def wrinkles(t: Traits, p: Place, x: Textures, z: Floats) -> Floats:
    """Carve the marks of age into the height z in place; return a darkening map, 1 = none."""
    shade = np.ones_like(z)
    _forehead(t, p, x, shade)
    _round_the_eyes(t, p, x, z, shade)
    _round_the_mouth(t, p, z, shade)
    k = band(-0.1, 1)
    a, v = p.A[k], p.V[k]
    cracks = np.maximum(np.sin((a + 0.35 * v + 0.05 * x.rough[k]) * 38), 0)
    creased = cracks * blob(a, v, (0.58, 0.28), (0.28, 0.5))
    shade[k] -= 0.25 * np.clip(t.wrinkle - 0.35, 0, 1) * creased
    return shade


def _forehead(t: Traits, p: Place, x: Textures, shade: Floats) -> None:
    k = band(-1, -0.5)
    a, v = p.A[k], p.V[k]
    bend = v + 0.10 * a * a + 0.025 * x.rough[k]
    lines = np.maximum(np.sin(bend * t.lines + t.line_phase), 0)
    broken = np.clip(0.7 + 0.5 * x.coarse[k], 0.1, 1.3)
    above_brows = bell((a / 0.75) ** 2) * step(t.brow_y - 0.05 - v, 0.16)
    shade[k] -= 0.36 * lines * broken * above_brows * t.wrinkle
    shade[k] -= 0.15 * t.frown * blob(a, v, (0.075, t.brow_y + 0.01), (0.06, 0.2))


def _round_the_eyes(t: Traits, p: Place, x: Textures, z: Floats, shade: Floats) -> None:
    k = band(-0.7, 0.15)
    a, v = p.A[k], p.V[k]
    dx, dy = a - (t.eye_x + t.eye_w * 0.9), v - t.eye_y
    rays = np.maximum(np.sin(dy / (np.abs(dx) + 0.16) * 8 + t.line_phase + 0.4 * x.rough[k]), 0)
    crows_feet = rays * blob(dx, dy, (0.11, 0.02), (0.15, 0.2))
    shade[k] -= 0.32 * crows_feet * np.clip(t.wrinkle * (0.7 + 0.6 * t.smile), 0, 1.2)
    ex = (a - t.eye_x + 0.01) / (t.eye_w * 1.2)
    bag = v - (t.eye_y + 0.17 + 0.04 * t.sag - 0.06 * ex * ex)
    fade = np.maximum(1 - ex * ex, 0)
    tired = 0.03 * t.grow + 0.04 * np.maximum(t.smile, 0) + 0.34 * t.sag
    shade[k] -= tired * bell((bag / 0.06) ** 2) * fade
    z[k] += 0.03 * t.sag * bell(((bag + 0.07) / 0.075) ** 2) * fade  # the pouch above the line


def _round_the_mouth(t: Traits, p: Place, z: Floats, shade: Floats) -> None:
    k = band(-0.15, 1)
    a, v = p.A[k] - 0.04 * t.yaw * p.side[k], p.V[k]
    s = (v - (t.nose_y - 0.07)) / (t.mouth_y - t.nose_y + 0.14)
    # From the wing of the nose to the corner of the mouth.
    along = np.clip(s, 0, 1.4)
    fold = a - (t.nose_w + 0.03 + (t.mouth_w - t.nose_w + 0.09) * along * (1.15 - 0.15 * along))
    smile_depth = 0.40 * np.maximum(t.smile, 0) * mix(0.45, 1, t.grow)
    depth = bell(((s - 0.4) / 0.72) ** 2) * (0.05 * t.grow + smile_depth + 0.55 * t.sag)
    shade[k] -= 0.26 * depth * bell((fold / 0.095) ** 2)
    z[k] += 0.03 * depth * bell(((fold - 0.12) / 0.16) ** 2)  # the cheek rolls over it
    line = a - (t.mouth_w + 0.05 + 0.3 * (v - t.mouth_y))
    shade[k] -= 0.14 * t.sag * blob(line, v, (0, t.mouth_y + 0.15), (0.09, 0.2))  # marionette
