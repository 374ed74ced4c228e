"""The submit forms, one for each kind of job, and one for the whole assignment."""

from collections.abc import Mapping

from dashboard.forms.assignment import ASSIGNMENT
from dashboard.forms.evaluate import EVALUATE
from dashboard.forms.fields import KindForm
from dashboard.forms.guided_sample import GUIDED_SAMPLE
from dashboard.forms.merge import MERGE
from dashboard.forms.report import REPORT
from dashboard.forms.sample import SAMPLE
from dashboard.forms.train_ddpm import TRAIN_DDPM
from dashboard.forms.train_regressor import TRAIN_REGRESSOR

__all__ = ["ASSIGNMENT", "FORMS", "FORMS_OF_KINDS"]

_FORMS = (SAMPLE, MERGE, TRAIN_REGRESSOR, GUIDED_SAMPLE, TRAIN_DDPM, EVALUATE, REPORT)
FORMS_OF_KINDS: Mapping[str, KindForm] = {each.kind: each for each in _FORMS}
FORMS: Mapping[str, KindForm] = {**FORMS_OF_KINDS, ASSIGNMENT.kind: ASSIGNMENT}
