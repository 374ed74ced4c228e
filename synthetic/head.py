"""The head: where it stands in the frame, its outline and its height towards the camera."""

import numpy as np

from synthetic.canvas import FACE_SIZE, Floats, Rows, band, bell, blob, mix
from synthetic.draws import Textures
from synthetic.traits import Traits


class Place(Rows):
    """Where every pixel lies: u, v, U, V, A = |U|, side = sign of U, inside (of the head)."""


def place(t: Traits, x: Textures) -> Place:
    """Undo shift, zoom, roll and a slight random warp, then turn the head as an ellipsoid.

    The warp makes the two halves of a face differ. The face keeps the middle of the frame
    when it turns, as photographs are cut round the features.
    """
    line = (np.arange(FACE_SIZE, dtype=np.float32) + 0.5) * (2 / FACE_SIZE) - 1
    across, down = np.tile(line, FACE_SIZE), np.repeat(line, FACE_SIZE)
    sine, cosine = np.sin(t.yaw), np.cos(t.yaw)
    u = (across + down * t.roll) * t.zoom - t.dx + t.warp * x.warp_x
    v = (down - across * t.roll) * t.zoom - t.dy + t.warp * x.warp_y
    u += 0.58 * sine
    depth = 0.95 * np.sqrt(np.clip(1 - 0.8 * u * u - 0.35 * v * v, 0.02, 1))
    U = u * cosine - (depth - 0.18) * sine
    V = v - t.pitch * (depth - 0.7)
    return Place(u=u, v=v, U=U, V=V, A=np.abs(U), side=np.sign(U), inside=_inside(t, u, v))


def _inside(t: Traits, u: Floats, v: Floats) -> Floats:
    """1 in the middle of skull and jaw, 0 on their outline, negative outside."""
    dv = v - t.mid
    low, high = np.maximum(dv, 0) * (1 / t.chin), np.minimum(dv, 0) * (1 / 1.45)
    low *= low
    w = u / (t.width * (1 - t.taper * low))
    shape: Floats = 1 - w * w - low * mix(t.square, 1, low) - high * high
    return shape


def relief(t: Traits, p: Place, x: Textures) -> Floats:
    """Height of the skin towards the camera, in frame units."""
    z: Floats = 0.62 * np.sqrt(np.maximum(p.inside, 0.01))
    z += t.bumps * x.coarse
    _brows_and_sockets(t, p, z)
    _cheeks_and_chin(t, p, z)
    _nose(t, p, z)
    return z


def _brows_and_sockets(t: Traits, p: Place, z: Floats) -> None:
    k = band(-0.9, -0.1)
    a, v = p.A[k], p.V[k]
    z[k] += mix(0.012, 0.05, t.masc) * blob(a, v, (0.3, t.brow_y + 0.02), (0.46, 0.16))
    socket = blob(a, v, (t.eye_x - 0.03, t.eye_y + 0.01), (0.32, 0.23))
    z[k] -= mix(0.03, 0.075, t.grow) * t.deep * socket
    z[k] += 0.045 * blob(a, v, (t.eye_x, t.eye_y), (0.22, 0.13))  # the eyeball under the lids


def _cheeks_and_chin(t: Traits, p: Place, z: Floats) -> None:
    k = band(-0.4, 0.9)
    a, v = p.A[k], p.V[k]
    happy = np.maximum(t.smile, 0)
    cheekbone = blob(a, v, (0.50, mix(0.14, 0.02, t.grow) - 0.04 * happy), (0.36, 0.34))
    z[k] += (mix(0.09, 0.045, t.grow) + 0.05 * happy) * cheekbone
    hollow = blob(a, v, (0.56, 0.36), (0.26, 0.36))
    z[k] -= (0.03 * (1 - t.fat) * t.grow + 0.04 * t.sag) * hollow
    k = band(0.1, 1)
    a, v = p.A[k], p.V[k]
    z[k] += 0.06 * t.sag * blob(a, v, (0.46, 0.72), (0.22, 0.26))  # jowl
    z[k] += mix(0.035, 0.06, t.grow) * blob(a, v, (0, t.mid + t.chin - 0.2), (0.36, 0.22))


def _nose(t: Traits, p: Place, z: Floats) -> None:
    k = band(-0.75, 0.25)
    v = p.V[k]
    along = np.clip((v - t.brow_y) / (t.nose_y - t.brow_y), 0, 1.2)  # 0 at the brows, 1 at the tip
    nu = np.abs(p.U[k] - 0.20 * t.yaw * along)
    ends = np.clip(along * 3, 0, 1) * np.clip((t.nose_y + 0.11 - v) * 4, 0, 1)
    ridge = bell((nu / (0.11 + 0.09 * along)) ** 2) * ends
    z[k] += t.nose_z * ridge * (0.12 + 0.38 * along)
    z[k] += t.nose_z * 0.22 * blob(nu, v, (0, t.nose_y - 0.02), (t.nose_w * 0.8, 0.12))  # tip
    wing = blob(nu, v, (t.nose_w * 0.75, t.nose_y + 0.01), (0.08, 0.09))
    z[k] += t.nose_z * 0.28 * wing
