"""Diagnosis: rules that look at the curves of a run, and say what to change next time.

_rule      what a rule is, and what it finds             _view     what a rule sees of the run
_trend     levels, noise and falls of a noisy curve      _names    which curve is the loss
_loss, _rate, _starts, _evaluation, _groups   the rules  _findings all rules, applied
"""

from stepsize.diagnose._findings import *
from stepsize.diagnose._rule import *
from stepsize.diagnose._view import *
