"""What people wear or do now and then: spectacles, hats, scarves, earrings, a hand at the cheek."""

import numpy as np

from synthetic.canvas import Floats, band, bell, blob, mix, step
from synthetic.draws import Textures
from synthetic.head import Place
from synthetic.traits import Traits

RARE = ("headband", "hand", "scarf", "hat")  # traits that few have, the rarest first
Layer = tuple[Floats, Floats]  # mask (0 … 1) and radiance


def extras(t: Traits, p: Place, x: Textures, shade: Floats, image: Floats) -> None:
    """Draw over the lit image what the people of a chunk wear, in place."""
    for trait, draw, (top, bottom) in (
        (t.earrings, _earrings, (-0.1, 0.8)),
        (t.headband, _headband, (-1, -0.4)),
        (t.hat, _hat, (-1, 0)),
        (t.scarf, _scarf, (-1, 1)),
        (t.glasses, _glasses, (-0.9, 0.1)),
        (t.hand, _hand, (-0.4, 1)),
    ):
        if trait.any():
            k = band(top, bottom)
            mask, radiance = draw(t, p.at(k), x.at(k), shade[k])
            image[k] += (radiance - image[k]) * mask * (trait > 0)


def _glasses(t: Traits, p: Place, x: Textures, shade: Floats) -> Layer:
    a, v = p.A, p.V
    q = ((a - t.eye_x - 0.01) / t.lens_w) ** 2
    r = ((v - t.eye_y - 0.03) / t.lens_h) ** 2
    ring = bell(((q * q + r * r + 0.6 * q * r - 1) / t.frame) ** 2)
    bridge = bell(((v - t.eye_y + 0.04 - 0.1 * a) / 0.045) ** 2) * step(0.22 - a, 0.06)
    ear_to_ear = step(a - t.eye_x - t.lens_w, 0.04) * step(p.inside, 0.1)
    arm = bell(((v - t.eye_y + 0.04) / 0.05) ** 2) * ear_to_ear
    mask = np.minimum(np.maximum(np.maximum(ring, bridge), arm) * t.glasses, 0.92)
    glare = blob(p.U, v, (t.eye_x * np.sign(t.lx) + 0.08, t.eye_y - 0.05), (0.12, 0.08))
    glare = glare * t.glare
    return np.maximum(mask, glare), np.where(glare > mask, 0.7, t.frame_tone) * np.ones_like(a)


def _hat(t: Traits, p: Place, x: Textures, shade: Floats) -> Layer:
    edge = t.hat_line + 0.14 * p.A * p.A + t.hat_tilt * p.U
    mask = step(edge - p.V, 0.06) * step(t.width * 1.12 + 0.3 * t.brim - np.abs(p.u), 0.08)
    rim = step(edge - 0.13 - p.V, 0.05)
    knit = 1 + 0.07 * x.fine + 0.2 * x.coarse + 0.2 * np.sin(p.U * 26) * (1 - t.brim)
    tone = t.hat_tone * np.clip(knit, 0.2, 2) * (0.75 + 0.25 * rim)
    shadow = step(edge + 0.22 - p.V, 0.3) * (1 - mask) * 0.35 * t.brim * step(p.inside, 0.2)
    radiance = mix(0.0, tone * (0.3 + 0.7 * shade), mask / np.maximum(mask + shadow, 1e-3))
    return np.maximum(mask, shadow), radiance


def _scarf(t: Traits, p: Place, x: Textures, shade: Floats) -> Layer:
    hole = (p.U / (t.width * 0.90)) ** 2 + ((p.V - 0.02) / np.where(p.V < 0, 0.86, 1.08)) ** 2
    mask = step(hole - 1 + 0.05 * x.coarse, 0.12)
    folds = np.sin((p.v + 0.9 * p.A) * 9 + 3 * x.coarse)
    radiance = t.hat_tone * np.clip(0.85 + 0.12 * folds + 0.08 * x.rough, 0.2, 2)
    return mask, radiance * (0.6 + 0.4 * step(hole - 1.15, 0.4))


def _headband(t: Traits, p: Place, x: Textures, shade: Floats) -> Layer:
    height = p.V - (t.hat_line + 0.10 * p.A * p.A)
    mask = bell((height / 0.10) ** 2) * 1.6
    return np.minimum(mask, 1) * step(p.inside + 0.2, 0.1), t.hat_tone * (0.9 + 0.08 * x.fine) * (
        0.4 + 0.6 * shade
    )


def _earrings(t: Traits, p: Place, x: Textures, shade: Floats) -> Layer:
    where = (t.width + 0.01, t.eye_y + 0.60 + 0.5 * t.earrings)
    mask = 1.5 * blob(np.abs(p.u), p.v, where, (0.06, 0.07 + 0.35 * t.earrings))
    return np.minimum(mask, 1), np.clip(0.4 + 0.25 * x.fine, 0.1, 0.75)


def _hand(t: Traits, p: Place, x: Textures, shade: Floats) -> Layer:
    side = np.sign(t.part + 0.01)
    along, across = p.v - 0.35, p.u * side - 0.72
    along, across = along + 0.45 * across, across - 0.45 * along  # fingers lean to the cheek
    palm = step(1 - (across / 0.30) ** 4 - ((along - 0.55) / 0.75) ** 4, 0.25)
    fingers = 0.5 + 0.5 * np.cos(across * 27)
    gaps = step(0.55 - along, 0.5) * (1 - fingers)
    radiance = t.skin * (0.35 + 0.65 * shade) * (1.02 - 0.34 * gaps) * (1 + 0.05 * x.rough)
    return palm, radiance
