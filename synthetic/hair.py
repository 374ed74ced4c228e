"""The hair: where it lies and how light it is."""

import numpy as np

from synthetic.canvas import Floats, bell, mix, step
from synthetic.draws import Textures
from synthetic.head import Place
from synthetic.traits import Traits


def hair(t: Traits, p: Place, x: Textures) -> tuple[Floats, Floats, Floats]:
    """Mask (0 … 1) and albedo of the hair, and the shadow (0 … 1) it casts on the face."""
    texture = _texture(t, p, x)
    cap, side, shadow = _coverage(t, p, x, texture)
    mask: Floats = np.maximum(cap, side) * _outline(t, p, x, texture)
    mask *= 1 - 0.75 * t.thin * t.thin
    shine = bell(((p.v + 0.75 + 0.2 * p.A + 0.1 * x.coarse) / 0.35) ** 2)
    tone = t.hair * np.clip(0.82 + t.strands * texture + 0.2 * x.coarse + t.shine * shine, 0.2, 2)
    tone *= 1 - 0.45 * side * step(p.inside + 0.05, 0.4)  # darker where it meets the face
    return mask, np.minimum(tone, 0.75), shadow


def _texture(t: Traits, p: Place, x: Textures) -> Floats:
    fan = (p.U - t.part) / np.maximum(p.V + 1.9, 0.35) * 2  # out of the crown
    combed = 0.6 * np.sin(fan * t.locks + 3 * x.coarse + 0.8 * x.rough) + 0.8 * x.strands
    texture: Floats = mix(0.6 * combed, 0.9 * x.rough + 0.35 * x.fine, t.curl)
    return texture


def _coverage(t: Traits, p: Place, x: Textures, texture: Floats) -> tuple[Floats, Floats, Floats]:
    off = p.U - t.part  # the hairline falls away from the parting, further on the fuller side
    fall = np.abs(off) * (t.fall + t.sweep * np.sign(off))
    a2 = p.A * p.A
    line = t.line + fall * (0.4 + 0.6 * np.abs(off)) + t.bangs * (1 + 0.22 * x.coarse)
    line = np.minimum(line, t.clear + 1.3 * np.maximum(p.A - 0.5, 0))  # the eyes stay free
    line += t.temple * a2 - t.recede * bell(((p.A - 0.42) / 0.3) ** 2)
    above = line + t.messy * texture - p.V
    cap = step(above, t.hairline)
    # Curtains beside the face, or sideburns that end at the ear.
    reach = t.width * (t.curtain - 0.10 * t.long * (1 - p.v * 0.3)) + t.wave * x.coarse
    reach = reach + t.open * p.side * 0.08
    # The face turned away from comes out from between its hair.
    reach = reach + 0.6 * np.maximum(t.yaw * np.sign(p.u), 0)
    flow = np.abs(p.u) - reach - 0.20 * np.maximum(p.v + 0.55, 0) * (1 - t.long)
    ends = np.maximum(step(t.sideburn - p.v, 0.25) * (1 - t.thin * 0.5), t.long)
    ends = ends * step(t.length - p.v + 0.15 * texture, 0.3)
    side = step(flow - t.messy * texture, 0.08) * ends
    shadow = np.maximum(step(above + 0.07, 0.28), step(flow + 0.09, 0.3) * ends)
    return cap, side, shadow


def _outline(t: Traits, p: Place, x: Textures, texture: Floats) -> Floats:
    dv = np.minimum(p.v - t.mid, 0) * (1 / (1.4 + t.volume))
    outer = p.u / (t.width + t.volume + 0.06 * t.long * (p.v + 0.4))
    ragged = (0.04 + t.messy) * texture + 0.12 * t.curl * x.rough
    return step(1 - outer * outer - dv * dv + ragged, 0.14)
