"""Attaching: quantities of an optimizer's groups follow schedules, in a loop that its user owns."""

from stepsize.torch.attaching._attach import attach
from stepsize.torch.attaching._attachment import Attachment, Quantity
from stepsize.torch.attaching._scheduler import Scheduler
from stepsize.torch.attaching.owners import attached_quantities

__all__ = ["Attachment", "Quantity", "Scheduler", "attach", "attached_quantities"]
