"""The submit forms, one for each kind of job."""

from collections.abc import Mapping

from dashboard.forms.evaluate import EVALUATE
from dashboard.forms.fields import KindForm
from dashboard.forms.sample import SAMPLE
from dashboard.forms.train_ddpm import TRAIN_DDPM

__all__ = ["FORMS"]

FORMS: Mapping[str, KindForm] = {each.kind: each for each in (SAMPLE, TRAIN_DDPM, EVALUATE)}
