"""Who is drawn: age, build, expression, features, hair, light and camera of n random people."""

from types import SimpleNamespace
from typing import Any

import numpy as np

from synthetic.canvas import Rows, mix
from synthetic.draws import Draws


class Traits(Rows):
    """Named traits, each float32 (n, 1), most of them within 0 and 1; `age` is 1 … 100."""


class _Ages(SimpleNamespace):
    """Apparent ages in years, (n, 1): each group of cues follows its own, imperfect one."""


def draw_traits(d: Draws) -> Traits:
    """Draw the people whose random numbers `d` holds."""
    t = Traits(age=np.floor(d.uniform(1, 101)))
    body, skin, sag, hair = (
        np.maximum(t.age * np.exp(d.normal(0.07)) + d.normal(deviation), 0.5)
        for deviation in (0.3, 3, 3.5, 5)
    )
    ages = _Ages(body=body, skin=skin, sag=sag, hair=hair)
    _age_and_sex(t, d, ages)
    _pose_and_skull(t, d)
    _expression(t, d, ages)
    _eyes_and_brows(t, d)
    _nose_and_mouth(t, d)
    _skin_and_hair_tone(t, d, ages)
    _haircut(t, d, ages)
    _hairline(t, d)
    _beard(t, d, ages)
    _worn(t, d)
    _surroundings(t, d)
    _light_and_camera(t, d)
    return Traits(**{name: np.asarray(value, np.float32) for name, value in vars(t).items()})


def _grown(t: Traits, child: float, adult: float) -> Any:
    return mix(child, adult, t.grow)


def _age_and_sex(t: Traits, d: Draws, ages: _Ages) -> None:
    t.grow = np.interp(ages.body, [0, 1, 3, 6, 12, 18, 24], [0, 0.06, 0.22, 0.42, 0.70, 0.94, 1])
    wrinkles = np.interp(ages.skin, [18, 35, 50, 65, 80, 100], [0, 0.16, 0.4, 0.68, 0.95, 1.2])
    t.wrinkle = wrinkles * d.uniform(0.75, 1.25)
    t.sag = np.interp(ages.sag, [22, 50, 70, 95], [0, 0.3, 0.68, 1.15])
    t.spots = np.interp(ages.skin, [50, 90], [0, 1]) * d.uniform(0.2, 1)
    t.lines, t.line_phase = d.uniform(26, 38), d.uniform(0, 2 * np.pi)
    t.frown = t.wrinkle * d.uniform(0, 1.5)
    t.male = d.chance(0.5) * 1.0
    t.masc = t.male * np.interp(ages.body, [10, 20], [0.1, 1]) * d.uniform(0.6, 1.1)


def _pose_and_skull(t: Traits, d: Draws) -> None:
    t.yaw, t.pitch = d.normal(0.2).clip(-0.6, 0.6), d.normal(0.09)
    t.roll, t.warp = d.normal(0.05), d.uniform(0.006, 0.022)
    t.dx, t.dy = d.normal(0.03), d.normal(0.035, 0.01)
    t.zoom = d.normal(0.045, 0.97).clip(0.84, 1.12)
    t.mid = _grown(t, 0, -0.2) + d.normal(0.03)
    t.chin = _grown(t, 1.02, 1.26) + d.normal(0.04) + 0.05 * t.masc
    t.fat = d.normal(0.3, 0.35).clip(0, 1)
    plump = 0.06 * (t.fat - 0.35)
    t.width = _grown(t, 1.02, 0.885) + d.normal(0.05) + 0.02 * t.masc + 0.02 * t.sag + plump
    t.taper = _grown(t, 0.16, 0.40) + d.normal(0.06) - 0.12 * t.masc - 0.10 * t.sag - 2 * plump
    t.square = (0.75 - 0.25 * t.masc + d.normal(0.1)).clip(0.3, 1)
    t.bumps, t.deep = d.uniform(0.006, 0.022), d.normal(0.3, 0.9).clip(0.2, 1.6)


def _expression(t: Traits, d: Draws, ages: _Ages) -> None:
    t.smile = d.normal(0.42, 0.55).clip(-0.22, 1.1)
    grin = d.chance((t.smile * 1.25 - 0.1).clip(0, 0.92) * (ages.body / 4).clip(0.4, 1))
    t.grin = grin * 1.0
    laugh = d.chance(0.06) * d.uniform(0.5, 1.0) * (t.smile > 0.3)
    opened = d.chance(_grown(t, 0.35, 0.12)) * d.uniform(0.2, 0.7)
    t.gape = np.maximum(np.maximum(opened, laugh), grin * d.uniform(0.25, 0.6))
    t.gape = t.gape * _grown(t, 1.2, 1) * (t.gape > 0.12)
    t.teeth = mix(d.uniform(0.1, 0.6), d.uniform(0.75, 1.1), grin) - 0.3 * (t.gape > 0.8)
    t.has_teeth = d.chance(np.interp(ages.body, [0.6, 1.6, 70, 95], [0, 1, 1, 0.75])) * 1.0
    t.skew, t.uneven = d.normal(0.012), d.normal(0.007)
    t.wink = d.normal(0.07).clip(-0.3, 0.3)


def _eyes_and_brows(t: Traits, d: Draws) -> None:
    happy = np.maximum(t.smile, 0)
    t.eye_x = _grown(t, 0.455, 0.425) + d.normal(0.016)
    t.eye_y = _grown(t, -0.365, -0.405) + d.normal(0.015)
    t.eye_w = _grown(t, 0.190, 0.182) + d.normal(0.01)
    opening = _grown(t, 0.138, 0.098) * (1 - 0.36 * happy) * (1 - 0.28 * t.sag)
    t.eye_h = (opening + d.normal(0.012)).clip(0.025)
    t.tilt, t.gaze = d.normal(0.016, -0.008) + 0.018 * t.sag, d.normal(0.022)
    t.iris, t.iris_tone = _grown(t, 0.088, 0.080), d.uniform(0.02, 0.13) ** 1.3
    t.glint = d.chance(0.75) * d.uniform(0.15, 0.65)
    t.lashes = (0.48 + d.normal(0.12) + 0.26 * (1 - t.male) * t.grow).clip(0.15, 0.88)
    t.crease, t.ringed = d.uniform(0.0, 0.22), d.uniform(0.05, 0.3)
    t.brow_y = t.eye_y - _grown(t, 0.225, 0.20) - d.normal(0.018) + 0.02 * t.masc
    t.brow_y = t.brow_y + 0.012 * t.sag
    t.brow_w, t.brow_arch = d.normal(0.02, 0.265), d.normal(0.018, 0.035)
    t.brow_tilt = d.normal(0.022, 0.014)
    t.brow_thick = (0.045 + 0.016 * t.masc + d.normal(0.008)).clip(0.028)


def _nose_and_mouth(t: Traits, d: Draws) -> None:
    happy = np.maximum(t.smile, 0)
    t.nose_y = _grown(t, 0.0, 0.05) + d.normal(0.022) + 0.03 * t.sag
    t.nose_z = _grown(t, 0.08, 0.15) + d.normal(0.025) + 0.02 * t.sag
    nose_w = _grown(t, 0.135, 0.145) + d.normal(0.016) + 0.015 * t.masc + 0.012 * t.sag
    t.nose_w = nose_w.clip(0.1) + 0.015 * happy
    t.nostrils = d.uniform(0.25, 0.75)
    t.mouth_y = _grown(t, 0.345, 0.385) + d.normal(0.02) - 0.01 * happy
    t.mouth_w = _grown(t, 0.255, 0.325) + d.normal(0.025) + 0.095 * happy + 0.02 * t.grin
    t.mouth_w = t.mouth_w - 0.05 * (t.gape > 0.12) * (1 - t.grin)
    lip = _grown(t, 0.070, 0.086) + d.normal(0.016) - 0.040 * t.sag - 0.02 * happy
    t.lip, t.lip_gloss = lip.clip(0.02, 0.13), d.uniform(0.15, 0.5)
    paint = 0.28 * (1 - t.male) * d.chance(0.4) * t.grow
    t.lip_tone = (d.normal(0.10, 0.62) - paint).clip(0.22, 0.95)
    t.seam = d.uniform(0.45, 0.85)


def _skin_and_hair_tone(t: Traits, d: Draws, ages: _Ages) -> None:
    t.skin = (d.uniform(0.16, 0.62) + d.normal(0.03)).clip(0.1, 0.68)
    is_dark = d.chance(mix(0.95, 0.62, t.skin > 0.35))
    young = np.where(is_dark, d.uniform(0.006, 0.045), t.skin * d.uniform(0.15, 0.7))
    greying = 1 / (1 + np.exp((d.normal(10, 56) + 12 * (1 - t.male) - ages.hair) / 6))
    t.hair = mix(young, d.uniform(0.12, 0.75), greying)
    is_fair_child = (1 - t.age / 8).clip(0) * d.chance(0.5)
    t.hair = mix(t.hair, np.minimum(t.hair * 2, 0.4), is_fair_child)
    t.beard_tone = mix(young * 1.2, d.uniform(0.15, 0.6), greying**0.7)
    brow = _grown(t, 0.22, 0.56) + d.normal(0.16) + 0.25 * t.masc - 0.25 * t.sag - 0.08
    t.brow = (brow * (1.05 - 1.1 * mix(young, t.hair, 0.6)).clip(0.15)).clip(0.05, 0.9)
    t.blotches = d.uniform(0.01, 0.05) + 0.03 * t.spots
    t.spots = t.spots * 0.14


def _haircut(t: Traits, d: Draws, ages: _Ages) -> None:
    bald = t.male * (ages.hair > 22) / (1 + np.exp((d.normal(25, 74) - ages.hair) / 8))
    infant = (1 - ages.body / d.uniform(1.5, 3.5)).clip(0, 1)
    t.thin = np.maximum(np.maximum(bald, infant), 0.3 * (ages.hair > 70) * d.uniform())
    fewer_late = np.interp(ages.hair, [45, 75], [1, 0.35])
    t.long = d.chance(mix(0.72, 0.07, t.male) * (ages.body / 6).clip(0.1, 1) * fewer_late)
    t.long = t.long * (t.thin < 0.6)
    t.tied = d.chance(0.25) * t.long  # in a bun or a tail: off the face, and out of the picture
    t.long = t.long * (1 - t.tied)
    t.length = mix(3, d.uniform(0, 1.2), d.chance(0.35))
    t.curl = d.chance(0.28) * d.uniform(0.3, 1)
    t.locks = d.uniform(9, 26)
    t.strands, t.shine = d.uniform(0.06, 0.26), d.uniform(0, 0.5)
    volume = d.normal(0.06, 0.09) + 0.10 * t.long + 0.10 * t.curl - 0.06 * t.tied
    t.volume = volume.clip(0.01, 0.45) * (1 - 0.8 * t.thin)
    t.recede = bald * d.uniform(0.1, 0.5) + 0.12 * t.masc * d.uniform()


def _hairline(t: Traits, d: Draws) -> None:
    full = t.thin < 0.5
    t.part = mix(d.normal(0.12), d.uniform(-0.5, 0.5), d.chance(0.6))
    t.line = d.normal(0.055, -0.985) + 0.02 * (1 - t.grow) - 0.50 * t.thin - 0.04 * t.tied
    parted = d.chance(mix(0.35, 0.75, t.long)) * full
    t.fall = parted * d.uniform(0.1, 0.75) * mix(0.6, 1.1, t.long) * (1 - t.tied)
    t.sweep = d.normal(0.22).clip(-0.6, 0.6) * full * (1 - 0.6 * t.tied)
    t.bangs = d.chance(_grown(t, 0.45, 0.14)) * full * (1 - t.tied) * d.uniform(0.08, 0.30)
    t.temple = d.uniform(0.15, 0.65) * (1 - t.thin) * _grown(t, 0.5, 1)
    t.messy = d.uniform(0.003, 0.035) + 0.03 * t.curl
    t.clear = d.uniform(-0.68, -0.5)
    t.hairline = d.uniform(0.07, 0.2) + 0.1 * (1 - t.grow)
    t.curtain, t.open = d.normal(0.06, 0.85) - 0.03 * t.fall, d.normal(0.7)
    t.wave, t.sideburn = d.uniform(0, 0.06), d.normal(0.12, -0.12) + 0.1 * t.masc
    t.hair_shadow = d.uniform(0.1, 0.4)


def _beard(t: Traits, d: Draws, ages: _Ages) -> None:
    shaver = t.male * ((ages.body - 15) / 6).clip(0, 1)
    t.beard = shaver * d.chance(0.17) * d.uniform(0.35, 1)
    t.moustache = shaver * np.maximum(d.chance(0.09), 0.9 * (t.beard > 0)) * d.uniform(0.4, 1)
    t.stubble = shaver * d.uniform(0.02, 0.4) ** 1.3
    t.beard_edge, t.goatee = d.normal(0.07, 0.5), d.chance(0.12) * 1.0


def _worn(t: Traits, d: Draws) -> None:
    wears = d.chance(np.interp(t.age, [3, 15, 40, 60], [0.01, 0.07, 0.16, 0.33]))
    t.glasses = wears * d.uniform(0.3, 0.85)
    t.lens_w, t.lens_h = d.uniform(0.22, 0.28), d.uniform(0.14, 0.24)
    t.frame, t.frame_tone = d.uniform(0.5, 1.0), d.uniform(0, 0.4) ** 2
    t.glare = d.chance(0.3) * d.uniform(0.2, 0.7)
    t.hat = d.chance(np.interp(t.age, [1, 4, 30, 70], [0.14, 0.06, 0.04, 0.08])) * 1.0
    t.brim = d.chance(0.4) * 1.0 * (t.age > 4)
    t.hat_line, t.hat_tilt = d.normal(0.06, -0.75), d.normal(0.06)
    t.hat_tone = d.uniform(0.05, 0.8) ** 1.5
    t.scarf = d.chance(mix(0.035, 0.004, t.male)) * (1 - t.hat) * (t.age > 3)
    t.headband = d.chance(0.03) * (1 - t.male) * (1 - t.hat) * (1 - t.scarf)
    t.earrings = d.chance(0.15) * (1 - t.male) * (t.age > 12) * d.uniform(0.05, 0.5)
    t.hand = d.chance(0.015) * 1.0


def _surroundings(t: Traits, d: Draws) -> None:
    t.wall, t.cloth = d.uniform(0.1, 0.85) ** 2, d.uniform(0.05, 0.85) ** 2
    t.clutter = d.chance(0.4) * d.uniform(0.1, 0.5)
    turn = d.uniform(0, 2 * np.pi)
    t.edge_x, t.edge_y, t.edge_at = np.cos(turn), 0.5 * np.sin(turn), d.normal(0.6)
    t.edge_step = d.chance(0.45) * d.uniform(-0.8, 1.2)
    t.shoulder = d.normal(0.06, 0.88)
    t.pattern = d.chance(0.2) * d.uniform(0.1, 0.6)
    t.collar = d.chance(mix(0.1, 0.4, t.male) * (t.age > 15)) * 1.0


def _light_and_camera(t: Traits, d: Draws) -> None:
    strong = mix(0.45, 1.1, d.chance(0.3))
    t.lx, t.ly = strong * d.normal(1), d.normal(0.35, -0.5)
    t.ambient, t.gloss = d.uniform(0.12, 0.6), d.uniform(0, 0.06)
    t.level, t.spread = d.normal(0.152, 0.510), d.normal(0.062, 0.229).clip(0.09, 0.38)
    sharp, blurred = d.uniform(-0.32, 0.45), d.uniform(0.6, 1)
    t.soft, t.grain = mix(sharp, blurred, d.chance(0.09)), d.uniform(0.02, 0.075) ** 2
