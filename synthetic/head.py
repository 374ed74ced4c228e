"""The head: where it stands in the frame, its outline and its height towards the camera."""

import numpy as np

from synthetic.canvas import RESOLUTION, Floats, band, bell, blob, mix
from synthetic.traits import Traits


def face_coordinates(t: Traits) -> tuple[Floats, Floats]:
    """(U, V) of every pixel.

    Shift, zoom and roll are undone; yaw and pitch slide the bulging face.
    """
    line = (np.arange(RESOLUTION, dtype=np.float32) + 0.5) * (2 / RESOLUTION) - 1
    x, y = np.tile(line, RESOLUTION), np.repeat(line, RESOLUTION)
    u, v = (x + y * t.roll) * t.zoom - t.dx, (y - x * t.roll) * t.zoom - t.dy
    bulge = 0.12 - 0.55 * (u * u) - 0.35 * (v * v)
    return u - t.yaw * bulge, v - t.pitch * bulge


def head_shape(t: Traits, A: Floats, V: Floats) -> Floats:
    """Inside function of skull and jaw: 1 in the middle, 0 on the outline, negative outside."""
    dv = V - t.mid
    low, high = np.maximum(dv, 0) * (1 / t.chin), np.minimum(dv, 0) * (1 / 1.55)
    low *= low
    w = A / (t.width * (1 - t.taper * low))
    shape: Floats = 1 - w * w - low * mix(t.square, 1, low) - high * high
    return shape


def relief(t: Traits, U: Floats, V: Floats, inside: Floats) -> Floats:
    """Height of the skin towards the camera, in frame units; `inside` is the head's shape."""
    A = np.abs(U)
    z: Floats = 0.72 * np.sqrt(np.maximum(inside, 0.01))
    _brows_and_sockets(t, A, V, z)
    _cheeks_and_chin(t, A, V, z)
    _nose(t, U, V, z)
    return z


def _brows_and_sockets(t: Traits, A: Floats, V: Floats, z: Floats) -> None:
    k = band(-0.85, 0)
    a, v = A[k], V[k]
    z[k] += mix(0.01, 0.05, t.masc) * blob(a, v, (0.3, t.brow_y + 0.02), (0.42, 0.13))
    socket = blob(a, v, (t.eye_x - 0.02, t.eye_y + 0.01), (0.30, 0.21))
    z[k] -= mix(0.045, 0.09, t.grow) * socket
    z[k] += 0.05 * blob(a, v, (t.eye_x, t.eye_y), (0.20, 0.12))  # the eyeball under the lids


def _cheeks_and_chin(t: Traits, A: Floats, V: Floats, z: Floats) -> None:
    k = band(-0.3, 0.9)
    a, v = A[k], V[k]
    cheekbone = blob(a, v, (0.50, mix(0.12, -0.02, t.grow)), (0.34, 0.30))
    z[k] += (mix(0.09, 0.05, t.grow) + 0.03 * t.smile) * cheekbone
    hollow = blob(a, v, (0.56, 0.30), (0.24, 0.34))
    z[k] -= (0.05 * (1 - t.fat) * t.grow + 0.04 * t.sag) * hollow
    z[k] += 0.06 * t.sag * blob(a, v, (0.46, 0.66), (0.22, 0.24))  # jowl
    k = band(0.1, 1)
    a, v = A[k], V[k]
    z[k] += 0.035 * blob(a, v, (0, t.mouth_y + 0.05), (t.mouth_w * 1.5, 0.28))  # muzzle
    z[k] += mix(0.04, 0.075, t.grow) * blob(a, v, (0, t.mid + t.chin - 0.17), (0.26, 0.19))


def _nose(t: Traits, U: Floats, V: Floats, z: Floats) -> None:
    k = band(-0.65, 0.3)
    v = V[k]
    along = np.clip((v - t.brow_y) / (t.nose_y - t.brow_y), 0, 1.2)  # 0 at the brows, 1 at the tip
    nu = np.abs(U[k] - 0.22 * t.yaw * along)
    ends = np.clip(along * 4, 0, 1) * np.clip((t.nose_y + 0.10 - v) * 6, 0, 1)
    ridge = bell((nu / (0.13 + 0.08 * along)) ** 2) * ends
    z[k] += t.nose_z * ridge * (0.15 + 0.45 * along)
    z[k] += t.nose_z * 0.45 * blob(nu, v, (0, t.nose_y - 0.02), (t.nose_w * 0.8, 0.13))  # tip
    wing = blob(nu, v, (t.nose_w * 0.72, t.nose_y + 0.01), (0.085, 0.10))
    z[k] += t.nose_z * 0.40 * wing
