"""Trainings that can be driven: the protocol, the loop over it, and the promise to leave it as it was."""

from stepsize.training._protocol import *
from stepsize.training._run import *
