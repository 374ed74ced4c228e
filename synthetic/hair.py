"""The hair: where it lies and how light it is."""

import numpy as np

from synthetic.canvas import Floats, bell, mix, step
from synthetic.traits import Traits


def hair(t: Traits, U: Floats, V: Floats, wave: Floats, curls: Floats) -> tuple[Floats, Floats]:
    """Mask (0 … 1) and albedo of the hair; `wave` is a coarse texture, `curls` a fine one."""
    A = np.abs(U)
    fan = (U - t.part * 0.3) / np.maximum(V + 2.1, 0.3) * 2.1  # out of the crown
    strands = np.sin(fan * 23 + 3 * wave) + np.sin(fan * 47 - 4 * wave + 1.3) * 0.8
    texture = mix(strands * 0.55, curls * 0.9, t.curl)
    mask = _hair_mask(t, U, V, wave, texture)
    shine = bell(((V + 0.72 + 0.1 * A) / 0.3) ** 2)
    tone = t.hair * np.clip(0.75 + 0.30 * texture + 0.25 * wave + 0.5 * shine, 0.15, 2)
    return mask, np.minimum(tone, 0.75)


def _hair_mask(t: Traits, U: Floats, V: Floats, wave: Floats, texture: Floats) -> Floats:
    A = np.abs(U)
    a2 = A * A
    temples = t.temple * (1 - 0.6 * (t.bangs > 0)) * a2 * (0.3 + a2)
    line = t.line + t.sweep * U + t.bangs * (1 + 0.3 * wave) + temples
    cap = step(line - 0.03 * texture - V, 0.10)
    flow = A - t.width * (0.91 - 0.10 * t.long * (1 - V * 0.25))
    flow = flow - 0.16 * np.maximum(V + 0.55, 0) * (1 - t.long)
    length = np.maximum(step(-0.05 - V, 0.25) * (1 - t.thin * 0.5), t.long)
    side = step(flow - 0.025 * texture, 0.06) * length
    dv = np.minimum(V - t.mid, 0) * (1 / (1.5 + t.volume))
    outer = A / (t.width + t.volume + 0.05 * t.long * (V + 0.4))
    outline = step(1 - outer * outer - dv * dv + 0.04 * texture, 0.12)
    mask: Floats = np.maximum(cap, side) * outline * (1 - 0.7 * t.thin * t.thin)
    return mask
