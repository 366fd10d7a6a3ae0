"""Training: a torch model, its optimizer and its data, ready for ``run`` and ``find``."""

from stepsize.torch.training._ranks import mean_of_ranks
from stepsize.torch.training._training import TorchTraining

__all__ = ["TorchTraining", "mean_of_ranks"]
