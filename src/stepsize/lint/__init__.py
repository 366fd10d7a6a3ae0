"""Lint: rules that look at a schedule and the run it is meant for, before a step is spent.

_rule      what a rule is, and what it has to say         _run       what a rule sees of the run
_starts, _ends, _shape, _rates   the rules                _usual     the rates that optimizers bear
_review    all rules, applied
"""

from stepsize.lint._review import *
from stepsize.lint._rule import *
from stepsize.lint._usual import *
