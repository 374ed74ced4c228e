"""Light, surroundings and camera."""

import numpy as np
from numpy.typing import NDArray

from synthetic.canvas import FACE_SIZE, Floats, bell, blob, mix, step
from synthetic.draws import Textures
from synthetic.head import Place
from synthetic.traits import Traits


def light(t: Traits, z: Floats) -> tuple[Floats, Floats]:
    """Diffuse shading (about 0 … 1.3) and specular highlight (0 … 1) of the height field."""
    n = FACE_SIZE
    zx, zy = np.zeros_like(z), np.zeros_like(z)
    zx[:, 1:-1] = (z[:, 2:] - z[:, :-2]) * (n / 4)
    zy[:, n:-n] = (z[:, 2 * n :] - z[:, : -2 * n]) * (n / 4)
    zx[:, ::n], zx[:, n - 1 :: n] = zx[:, 1::n], zx[:, n - 2 :: n]  # rows do not wrap
    zy[:, :n], zy[:, -n:] = zy[:, n : 2 * n], zy[:, -2 * n : -n]
    size = np.sqrt(t.lx**2 + t.ly**2 + 0.8)
    toward = (0.9 - zx * t.lx - zy * t.ly) / (size * np.sqrt(1 + zx * zx + zy * zy))
    shine = np.square(np.square(np.square(np.maximum(toward, 0))))
    return t.ambient + (1.25 - t.ambient) * np.maximum(toward * 0.85 + 0.15, 0), shine


def scene(t: Traits, p: Place, x: Textures) -> Floats:
    """Radiance of what is behind the head: wall, clothes, neck and ears."""
    a, v = np.abs(p.u), p.v
    wall = 1 + 0.35 * x.coarse + 0.3 * t.lx * p.u + t.clutter * x.rough
    edge = step(p.u * t.edge_x + v * t.edge_y - t.edge_at, 0.08)  # a door, a shelf, a sky
    wall *= 1 + t.edge_step * edge
    cloth = step(v - t.shoulder - 0.12 * a * a - 0.30 * bell((a / 0.55) ** 2), 0.08)
    pattern = t.cloth * np.clip(1 + 0.3 * x.rough + t.pattern * x.fine, 0.2, 2)
    collar = step(0.16 - np.abs(a - 0.62 + 0.5 * (v - 0.9)), 0.1) * t.collar
    image = mix(t.wall * np.clip(wall, 0.08, 2), mix(pattern, 0.6, collar), cloth)
    neck_width = t.width * mix(0.66, 0.78, t.masc)
    neck = step(neck_width - a + 0.4 * np.maximum(v - 0.8, 0), 0.08) * step(v - 0.2, 0.1)
    neck_tone = t.skin * np.clip(0.55 * v - 0.08 + 0.1 * x.coarse + 0.3 * t.lx * p.u, 0.08, 1)
    image = mix(image, neck_tone, neck * (1 - step(v - 1.05, 0.1)))
    ear = blob(a, v, (t.width + 0.02, t.eye_y + 0.22), (0.12 + 0.02 * t.sag, 0.30))
    inner = blob(a, v, (t.width + 0.03, t.eye_y + 0.20), (0.06, 0.18))
    tone = t.skin * (t.ambient * 0.9 + 0.35 * np.clip(t.lx * np.sign(p.u), -0.4, 0.8))
    tone = np.maximum(tone * (0.7 + 0.5 * ear - 0.5 * inner), 0.02)
    hidden = np.clip(4 * t.yaw * np.sign(p.u), 0, 1)  # on the side turned to
    radiance: Floats = mix(image, tone, step(ear - 0.14, 0.2) * (1 - hidden))
    return radiance


def camera(t: Traits, image: Floats, grain: Floats) -> NDArray[np.uint8]:
    """Photograph radiance images: tone curve, focus, exposure, grain.

    Returns:
        uint8 (n, 48, 48).
    """
    g = np.sqrt(np.maximum(image, 0)).reshape(-1, FACE_SIZE, FACE_SIZE)
    # Out of focus where soft > 0, sharpened as small pictures are where it is negative.
    g = mix(g, _BLUR @ g @ _BLUR.T, t.soft[:, :, None]).reshape(len(g), -1)
    mean, deviation = g.mean(1, keepdims=True), g.std(1, keepdims=True)
    g = (g - mean) * (t.spread / (deviation + 0.02)) + 0.75 * t.level + 0.25 * (mean + 0.05)
    g += t.grain * grain
    gray: NDArray[np.uint8] = (np.clip(g, 0, 1) * 255 + 0.5).astype(np.uint8)
    return gray.reshape(-1, FACE_SIZE, FACE_SIZE)


def _blur(radius: float) -> Floats:
    i = np.arange(FACE_SIZE)
    weights = np.maximum(0, 1 - abs(i[:, None] - i) / radius)
    normalized: Floats = (weights / weights.sum(1, keepdims=True)).astype(np.float32)
    return normalized


_BLUR = _blur(2.3)
