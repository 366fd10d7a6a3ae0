"""stepsize: one tool for the whole life of a learning rate.

The open core: schedules, recipes, ``parse``, ``Policy`` and the errors. No framework is imported;
``stepsize.torch``, ``stepsize.training``, ``stepsize.find`` and ``stepsize.record`` are imported by
name.
"""

from stepsize.errors import *
from stepsize.policy import *
from stepsize.schedules import *
from stepsize.signals import *

__version__ = "0.1.0"
