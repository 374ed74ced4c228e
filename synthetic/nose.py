"""The nose: soft shadows in the skin, next to its height in the relief."""

import numpy as np

from synthetic.canvas import Floats, band, blob, mix
from synthetic.head import Place
from synthetic.traits import Traits


def nose(t: Traits, p: Place, skin: Floats) -> None:
    """Paint nostrils and the soft and cast shadows around the nose into the albedo, in place."""
    k = band(-0.6, 0.45)
    u, v, s = p.U[k] - 0.17 * t.yaw, p.V[k], skin[k]
    a, side, old = np.abs(u), np.clip(t.lx, -0.9, 0.9), mix(0.45, 1, t.grow)
    s *= 1 - 0.22 * old * blob(a, v, (t.nose_w * 1.05, -0.2), (0.10, 0.34))  # its flanks
    s *= 1 - 0.16 * blob(a, v, (t.nose_w * 1.35, t.nose_y), (0.13, 0.16))  # beside the wings
    s *= 1 - 0.9 * t.nostrils * blob(a, v, (t.nose_w * 0.5, t.nose_y + 0.045), (0.07, 0.045))
    s *= 1 - 0.11 * old * blob(a, v, (0, t.nose_y + 0.08), (t.nose_w * 1.3, 0.09))
    s *= 1 - 0.38 * blob(a, v, (t.nose_w * 1.15, t.nose_y + 0.05), (0.07, 0.09))
    cast = (-np.sign(side) * t.nose_w * 0.95, t.nose_y - 0.05)
    s *= 1 - 0.24 * np.abs(side) * blob(u, v, cast, (0.13, 0.26))
    s *= 1 + 0.10 * blob(u, v, (0, t.nose_y - 0.10), (0.09, 0.34))  # the ridge catches light
    k = band(-0.4, 0.5)
    s = skin[k]
    s *= 1 + 0.09 * blob(p.A[k], p.V[k], (0.42, 0.02), (0.30, 0.34))  # the cheeks
    s *= 1 - 0.16 * old * blob(p.A[k], p.V[k], (0, t.mouth_y - 0.17), (0.38, 0.20))
