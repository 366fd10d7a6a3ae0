"""stepsize for torch: attach a schedule to an optimizer, or hand a training to ``run``."""

from stepsize.torch._training import *
