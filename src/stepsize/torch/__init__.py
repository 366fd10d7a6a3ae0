"""stepsize for torch: attach a schedule to an optimizer, or hand a training to ``run``.

attaching   quantities of an optimizer's groups follow schedules, in a loop of your own
importing   a torch scheduler, fresh or in the middle of a run, becomes a schedule
training    a model, its optimizer and its data, for ``run`` and ``find``
"""

import importlib.util

from stepsize.errors import MissingExtra

if importlib.util.find_spec("torch") is None:
    raise MissingExtra("stepsize.torch", "torch", "torch")

from stepsize.torch._layers import layerwise
from stepsize.torch.attaching import (
    Attachment,
    Quantity,
    Scheduler,
    attach,
    attached_quantities,
)
from stepsize.torch.importing import Continuation, from_scheduler
from stepsize.torch.training import TorchTraining, mean_of_ranks

__all__ = [
    "Attachment",
    "Continuation",
    "Quantity",
    "Scheduler",
    "TorchTraining",
    "attach",
    "attached_quantities",
    "from_scheduler",
    "layerwise",
    "mean_of_ranks",
]
