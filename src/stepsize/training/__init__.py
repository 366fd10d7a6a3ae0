"""Trainings that can be driven: the protocol, the loop over it, the way back, and trials."""

from stepsize.training._abilities import *
from stepsize.training._confidence import *
from stepsize.training._protocol import *
from stepsize.training._run import *
from stepsize.training._trials import *
from stepsize.training.snapshots import Ring as Ring
