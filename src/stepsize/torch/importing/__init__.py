"""Importing: what a torch scheduler will do from here on, as a schedule."""

from stepsize.torch.importing._from_scheduler import Continuation, from_scheduler

__all__ = ["Continuation", "from_scheduler"]
