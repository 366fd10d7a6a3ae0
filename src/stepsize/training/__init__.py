"""Trainings that can be driven: the protocol, the loop over it, and the way back."""

from stepsize.training._protocol import *
from stepsize.training._run import *
