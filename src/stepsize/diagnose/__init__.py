"""Diagnosis: rules that look at the curves of a run, and say what to change next time.

_taken     which curve was taken for what         _view     what a rule sees of the run
_levels    what a rule is, and how sure           _trend    levels, noise and falls of a noisy curve
_divergence, _learning, _loss, _starts, _height, _decay, _endings, _unit, _evaluation, _groups
           the rules                                _advice   what several of them advise
_diagnosis   all rules, applied                   _names    curves beside the losses and the rates
"""

from stepsize.diagnose._diagnosis import RULES, Diagnosis, diagnosis, findings
from stepsize.diagnose._levels import LEVELS, Level, RunRule
from stepsize.diagnose._taken import RecordedCurves, Taken
from stepsize.diagnose._view import Curve

__all__ = [
    "LEVELS",
    "RULES",
    "Curve",
    "Diagnosis",
    "Level",
    "RecordedCurves",
    "RunRule",
    "Taken",
    "diagnosis",
    "findings",
]
