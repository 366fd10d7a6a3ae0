"""Planning a run: from a length and an optimizer to a schedule, with reasons."""

from stepsize.plan._default import *
