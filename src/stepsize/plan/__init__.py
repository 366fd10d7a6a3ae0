"""Planning a run: numbers for its rate and its schedule, each with reason, source and interval."""

from stepsize.plan._bound import *
from stepsize.plan._extension import *
from stepsize.plan._plan import *
from stepsize.plan._priors import *
from stepsize.plan._ranking import *
from stepsize.plan._rules import *
from stepsize.plan._transfer import *
