"""Light, surroundings and camera."""

import numpy as np
from numpy.typing import NDArray

from synthetic.canvas import FACE_SIZE, RESOLUTION, Floats, bell, blob, mix, resize_matrix, step
from synthetic.traits import Traits


def light(t: Traits, z: Floats) -> tuple[Floats, Floats]:
    """Diffuse shading (about 0 … 1.3) and specular highlight (0 … 1) of the height field."""
    n = RESOLUTION
    zx, zy = np.zeros_like(z), np.zeros_like(z)
    zx[:, 1:-1] = (z[:, 2:] - z[:, :-2]) * (n / 4)
    zy[:, n:-n] = (z[:, 2 * n :] - z[:, : -2 * n]) * (n / 4)
    zx[:, ::n], zx[:, n - 1 :: n] = zx[:, 1::n], zx[:, n - 2 :: n]  # rows do not wrap
    zy[:, :n], zy[:, -n:] = zy[:, n : 2 * n], zy[:, -2 * n : -n]
    size = np.sqrt(t.lx**2 + t.ly**2 + 0.8)
    toward = (0.9 - zx * t.lx - zy * t.ly) / (size * np.sqrt(1 + zx * zx + zy * zy))
    shine = np.square(np.square(np.square(np.square(np.maximum(toward, 0)))))
    return t.ambient + (1.25 - t.ambient) * np.maximum(toward * 0.85 + 0.15, 0), shine


def scene(t: Traits, U: Floats, V: Floats, coarse: Floats, rough: Floats) -> Floats:
    """Radiance of what is behind the head: wall, clothes, neck and ears."""
    A = np.abs(U)
    wall = 1 + 0.4 * coarse + 0.3 * t.lx * U + t.clutter * (step(rough - 0.2, 0.5) - 0.5)
    cloth = step(V - 0.82 - 0.10 * A * A - 0.30 * bell((A / 0.55) ** 2), 0.06)
    pattern = t.cloth * np.clip(1 + 0.5 * rough, 0.2, 2)
    image = mix(t.wall * np.clip(wall, 0.08, 2), pattern, cloth)
    neck_width = t.width * mix(0.62, 0.74, t.masc)
    neck = step(neck_width - A + 0.4 * np.maximum(V - 0.8, 0), 0.06) * step(V - 0.2, 0.1)
    image = mix(image, t.skin * np.clip(0.5 * V - 0.1 + 0.1 * coarse, 0.1, 1), neck)
    ear = blob(A, V, (t.width + 0.02, t.eye_y + 0.20), (0.13 + 0.02 * t.sag, 0.30))
    radiance: Floats = mix(image, t.skin * t.ambient * (0.56 + 0.72 * ear), step(ear - 0.12, 0.15))
    return radiance


def camera(t: Traits, image: Floats, grain: Floats) -> NDArray[np.uint8]:
    """Photograph radiance images: average down, tone curve, focus, exposure, grain.

    Returns:
        uint8 (n, 48, 48).
    """
    down, i = resize_matrix(FACE_SIZE, RESOLUTION), np.arange(FACE_SIZE)
    blur = np.maximum(0, 1 - abs(i[:, None] - i) / 1.8)
    blur = (blur / blur.sum(1, keepdims=True)).astype(np.float32)
    g = np.sqrt(np.maximum(down @ image.reshape(-1, RESOLUTION, RESOLUTION) @ down.T, 0))
    g = mix(g, blur @ g @ blur.T, t.soft[:, :, None]).reshape(len(g), -1)
    mean, deviation = g.mean(1, keepdims=True), g.std(1, keepdims=True)
    g = (g - mean) * (t.spread / (deviation + 0.02)) + 0.75 * t.level + 0.25 * (mean + 0.05)
    g += t.grain * grain
    gray: NDArray[np.uint8] = (np.clip(g, 0, 1) * 255 + 0.5).astype(np.uint8)
    return gray.reshape(-1, FACE_SIZE, FACE_SIZE)
