"""Lips, teeth and the inside of the mouth."""

from types import SimpleNamespace

import numpy as np

from synthetic.canvas import Floats, band, bell, blob, mix, step
from synthetic.draws import Textures
from synthetic.head import Place
from synthetic.traits import Traits


def mouth(t: Traits, p: Place, x: Textures, skin: Floats, z: Floats) -> None:
    """Paint lips, teeth and the inside of the mouth, and round the lips in z, in place."""
    k = band(0.05, 0.95)
    v, s = p.V[k], skin[k]
    m = SimpleNamespace(x=(p.U[k] - 0.10 * t.yaw) / t.mouth_w)  # -1 … 1 between the corners
    m.squared = m.x * m.x
    m.arch = np.maximum(1 - m.squared, 0)
    # Corners up in a smile, one higher than the other in a skewed one.
    corner = 0.10 * t.smile * (m.squared - 0.35) - t.skew * m.x * np.abs(m.x)
    m.y = v - t.mouth_y + corner
    body = np.sqrt(m.arch)
    gap = t.gape * 0.20 * mix(m.arch, body, 0.5)
    m.top, m.bottom = m.y + 0.35 * gap, m.y - 0.65 * gap  # edges of the opening
    above = t.lip * body * (1 - 0.22 * bell(m.squared / 0.05))  # the bow in the upper lip
    below = t.lip * 1.25 * body * (1 - 0.25 * m.squared)
    ends = step(m.arch - 0.10, 0.3)
    upper = step(m.top + above, 0.05) * step(-m.top, 0.04) * ends
    lower = step(below - m.bottom, 0.06) * step(m.bottom, 0.04) * ends
    s *= 1 - (1 - t.lip_tone * 0.75) * upper - (1 - t.lip_tone) * 0.55 * lower
    s *= 1 + t.lip_gloss * blob(m.x, m.bottom, (0.1, t.lip * 0.6), (0.5, t.lip * 0.5)) * lower
    z[k] += 0.02 * bell(((m.bottom - below * 0.6) / (t.lip + 0.04)) ** 2) * body
    closed = bell((m.y / 0.036) ** 2) * step(1.02 - np.abs(m.x), 0.3) * (t.gape == 0)
    s *= 1 - t.seam * (1 - 0.4 * np.maximum(t.smile, 0)) * closed * (1 + 0.2 * x.fine[k])
    s *= 1 - 0.36 * blob(np.abs(m.x), m.y, (1.0, 0), (0.3, 0.10))  # corners
    s *= 1 - 0.20 * blob(m.x, m.bottom, (0, t.lip * 1.3 + 0.06), (0.85, 0.09))  # below the lip
    _opening(t, m, gap, s)


def _opening(t: Traits, m: SimpleNamespace, gap: Floats, s: Floats) -> None:
    if not t.gape.any():
        return
    top, bottom, mx = m.top, m.bottom, m.x
    hole = step(np.minimum(top, -bottom) + 0.006, 0.03) * step(gap - 0.012, 0.02)
    ends = step(0.92 - np.abs(mx), 0.5)
    row = step(top + 0.01, 0.04) * step(gap * t.teeth - top, 0.04)
    white = np.minimum(0.12 + 0.80 * t.skin, 0.6) * (1 - 0.35 * m.squared)
    tongue = 0.5 * t.skin * blob(mx, bottom, (0, 0), (0.75, 0.11)) + 0.03
    shown = mix(tongue, white, row * ends * t.has_teeth)
    s[...] = mix(s, shown, hole)
