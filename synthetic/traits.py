"""Who is drawn: age, build, expression, features, hair, light and camera of n random people."""

from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthetic.canvas import mix
from synthetic.draws import Draws


class Traits(SimpleNamespace):
    """Named traits, each float32 (n, 1), most of them within 0 and 1; `age` is 1 … 100."""

    def of(self, rows: NDArray[np.intp]) -> "Traits":
        """The same traits of some of the people."""
        return Traits(**{name: value[rows] for name, value in vars(self).items()})


class _Ages(SimpleNamespace):
    """Apparent ages in years, (n, 1): each group of cues follows its own, imperfect one."""


def draw_traits(d: Draws) -> Traits:
    """Draw the people whose random numbers `d` holds."""
    t = Traits(age=np.floor(d.uniform(1, 101)))
    body, skin, sag, hair = (
        np.maximum(t.age * np.exp(d.normal(0.10)) + d.normal(deviation), 0.5)
        for deviation in (0.4, 4, 5, 6)
    )
    ages = _Ages(body=body, skin=skin, sag=sag, hair=hair)
    _age_and_sex(t, d, ages)
    _pose_and_skull(t, d)
    _expression(t, d, ages)
    _features(t, d)
    _skin_and_hair_tone(t, d, ages)
    _haircut(t, d, ages)
    _beard_and_glasses(t, d, ages)
    _light_and_camera(t, d)
    return Traits(**{name: np.asarray(value, np.float32) for name, value in vars(t).items()})


def _grown(t: Traits, child: float, adult: float) -> Any:
    return mix(child, adult, t.grow)


def _age_and_sex(t: Traits, d: Draws, ages: _Ages) -> None:
    t.grow = np.interp(ages.body, [0, 1, 3, 6, 12, 18, 24], [0, 0.06, 0.22, 0.42, 0.70, 0.94, 1])
    wrinkles = np.interp(ages.skin, [20, 35, 50, 65, 80, 100], [0, 0.12, 0.35, 0.62, 0.88, 1.1])
    t.wrinkle = wrinkles * d.uniform(0.7, 1.3)
    t.sag = np.interp(ages.sag, [30, 50, 70, 95], [0, 0.25, 0.65, 1.1])
    t.spots = np.interp(ages.skin, [50, 90], [0, 1]) * d.uniform(0.2, 1)
    t.male = d.chance(0.5) * 1.0
    t.masc = t.male * np.interp(ages.body, [10, 20], [0.1, 1]) * d.uniform(0.6, 1.1)


def _pose_and_skull(t: Traits, d: Draws) -> None:
    t.yaw, t.pitch, t.roll = d.normal(0.19).clip(-0.45, 0.45), d.normal(0.07), d.normal(0.045)
    t.dx, t.dy = d.normal(0.025), d.normal(0.03)
    t.zoom = d.normal(0.035, 0.97).clip(0.88, 1.08)
    t.mid = _grown(t, 0, -0.2) + d.normal(0.03)
    t.chin = _grown(t, 0.95, 1.17) + d.normal(0.03) + 0.05 * t.masc
    t.width = _grown(t, 0.99, 0.825) + d.normal(0.045) + 0.03 * t.masc + 0.02 * t.sag
    t.taper = _grown(t, 0.14, 0.40) + d.normal(0.05) - 0.16 * t.masc - 0.10 * t.sag
    t.square = (0.75 - 0.25 * t.masc + d.normal(0.1)).clip(0.3, 1)
    t.fat = d.normal(0.3, 0.35).clip(0, 1)


def _expression(t: Traits, d: Draws, ages: _Ages) -> None:
    t.smile = d.normal(0.5, 0.42).clip(-0.3, 1)
    t.grin = d.chance((t.smile * 1.2).clip(0, 0.9) * (ages.body / 4).clip(0.3, 1))
    opened = d.chance(0.22) * d.uniform(0.1, 1.1) ** 2
    t.gape = np.maximum(opened, t.grin * d.uniform(0.35, 0.8)) * _grown(t, 1.25, 1)
    t.skew = d.normal(0.012)


def _features(t: Traits, d: Draws) -> None:
    happy = np.maximum(t.smile, 0)
    t.eye_x = _grown(t, 0.475, 0.425) + d.normal(0.016)
    t.eye_y = _grown(t, -0.41, -0.39) + d.normal(0.015)
    t.eye_w = _grown(t, 0.190, 0.168) + d.normal(0.008)
    opening = _grown(t, 0.110, 0.086) * (1 - 0.30 * happy) * (1 - 0.25 * t.sag)
    t.eye_h = (opening + d.normal(0.008)).clip(0.02)
    t.tilt, t.gaze = d.normal(0.012, -0.008) + 0.012 * t.sag, d.normal(0.018)
    t.iris, t.iris_tone = _grown(t, 0.092, 0.068), d.uniform(0.01, 0.08)
    brow_height = _grown(t, 0.19, 0.15) + d.normal(0.015)
    t.brow_y = t.eye_y - brow_height + 0.03 * t.masc + 0.01 * t.sag
    brow = _grown(t, 0.15, 0.75) + d.normal(0.15) + 0.25 * t.masc - 0.3 * t.sag
    t.brow = brow.clip(0.03, 1)
    t.brow_arch, t.brow_tilt = d.normal(0.015, 0.035), d.normal(0.02, 0.018)
    t.nose_y = _grown(t, 0, 0.06) + d.normal(0.015) + 0.03 * t.sag
    t.nose_z = _grown(t, 0.09, 0.18) + d.normal(0.025) + 0.02 * t.sag
    nose_w = _grown(t, 0.15, 0.165) + d.normal(0.02) + 0.015 * t.masc + 0.012 * t.sag
    t.nose_w = nose_w.clip(0.1)
    t.mouth_y = _grown(t, 0.35, 0.385) + d.normal(0.015)
    t.mouth_w = _grown(t, 0.25, 0.31) + d.normal(0.024) + 0.06 * happy
    t.lip = (_grown(t, 0.060, 0.066) + d.normal(0.014) - 0.035 * t.sag).clip(0.015, 0.12)
    paint = 0.25 * (1 - t.male) * d.chance(0.4) * t.grow
    t.lip_tone = (d.normal(0.08, 0.58) - paint).clip(0.25, 0.9)


def _skin_and_hair_tone(t: Traits, d: Draws, ages: _Ages) -> None:
    t.skin = (d.uniform(0.16, 0.62) + d.normal(0.03)).clip(0.1, 0.68)
    is_dark = d.chance(mix(0.9, 0.55, t.skin > 0.35))
    young = np.where(is_dark, d.uniform(0.008, 0.05), d.uniform(0.06, 0.3))
    greying = 1 / (1 + np.exp((d.normal(9, 54) - ages.hair) / 6))
    t.hair = mix(young, d.uniform(0.35, 0.7), greying)
    is_fair_child = (1 - t.age / 8).clip(0) * d.chance(0.5)
    t.hair = mix(t.hair, np.minimum(t.hair * 2, 0.4), is_fair_child)


def _haircut(t: Traits, d: Draws, ages: _Ages) -> None:
    bald = t.male * (ages.hair > 22) / (1 + np.exp((d.normal(22, 62) - ages.hair) / 8))
    infant = (1 - ages.body / d.uniform(1.5, 3.5)).clip(0, 1)
    t.thin = np.maximum(np.maximum(bald, infant), 0.5 * (ages.hair > 70) * d.uniform())
    t.long = d.chance(mix(0.75, 0.07, t.male) * (ages.body / 6).clip(0.1, 1)) * (t.thin < 0.6)
    t.line = d.normal(0.06, -0.89) - 0.07 * (1 - t.grow) - 0.45 * t.thin
    t.temple = d.uniform(0.15, 0.65) + 0.25 * t.long - 0.3 * bald
    t.bangs = d.chance(0.28) * (t.thin < 0.3) * d.uniform(0.08, 0.30)
    t.sweep, t.part = d.normal(0.12) * (t.thin < 0.5), d.uniform(-0.5, 0.5)
    t.curl, t.lines = d.chance(0.25) * d.uniform(0.4, 1), d.uniform(44, 60)
    volume = (d.normal(0.05, 0.10) + 0.10 * t.long + 0.06 * t.curl).clip(0.02, 0.4)
    t.volume = volume * (1 - 0.8 * t.thin)


def _beard_and_glasses(t: Traits, d: Draws, ages: _Ages) -> None:
    shaver = t.male * ((ages.body - 15) / 6).clip(0, 1)
    t.beard = shaver * d.chance(0.22) * d.uniform(0.4, 1)
    t.moustache = shaver * d.chance(0.3) * d.uniform(0.4, 1)
    t.stubble = shaver * d.uniform(0, 0.35)
    wears = d.chance(np.interp(t.age, [3, 15, 40, 60], [0.01, 0.07, 0.13, 0.33]))
    t.glasses = wears * d.uniform(0.35, 1)


def _light_and_camera(t: Traits, d: Draws) -> None:
    t.lx, t.ly = d.normal(0.65), d.normal(0.35, -0.45)
    t.ambient, t.gloss = d.uniform(0.12, 0.5), d.uniform(0, 0.15)
    t.wall, t.cloth = d.uniform(0.1, 0.85) ** 2, d.uniform(0.05, 0.85) ** 2
    t.clutter = d.chance(0.4) * d.uniform(0.2, 1.2)
    t.level, t.spread = d.normal(0.135, 0.522), d.normal(0.045, 0.235).clip(0.13, 0.34)
    t.soft, t.grain = d.uniform(-0.8, 0.5), d.uniform(0.03, 0.1) ** 2
