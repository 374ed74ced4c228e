"""Stubble, moustache and beard, in strokes that hang down."""

import numpy as np

from synthetic.canvas import Floats, band, bell, blob, mix, step
from synthetic.draws import Textures
from synthetic.head import Place
from synthetic.traits import Traits


def beard(t: Traits, p: Place, x: Textures, skin: Floats) -> None:
    """Mix stubble, moustache and beard into the albedo, in place."""
    if not t.stubble.any():
        return
    k = band(-0.1, 1)
    s, v, a = skin[k], p.V[k], p.A[k]
    mx = p.U[k] / (t.mouth_w * 1.1)
    strokes = 0.5 * x.strands[k] + 0.4 * x.fine[k] + 0.3 * x.rough[k]
    lips = np.clip(1 - 2.4 * blob(mx, v, (0, t.mouth_y + 0.03), (1, 0.13)), 0, 1)
    edge = t.beard_edge - 0.75 * t.goatee * bell((a / 0.55) ** 2) + 0.55 * t.goatee
    area = step(v + 0.42 * a - edge + 0.04 * strokes, 0.3) * lips
    lip_line = bell(((v - t.mouth_y + 0.115 - 0.12 * mx * mx + 0.015 * strokes) / 0.085) ** 2)
    lash = bell((a / (t.mouth_w * 1.25)) ** 2) * lip_line
    amount = np.maximum(t.beard * area, t.moustache * lash * 1.1) * (0.92 + 0.12 * strokes)
    tone = np.minimum(t.beard_tone * (0.85 + 0.15 * strokes), 0.6)
    s *= 1 - t.stubble * 0.5 * np.maximum(area, lash) * (1 - t.beard)
    s[...] = mix(s, np.maximum(tone, 0.01), np.clip(amount, 0, 0.93))
