"""Rates of thumb from the sizes of the gradient and of the parameters at the start."""

import math
from collections.abc import Mapping

import numpy as np

from stepsize.errors import TrainingError
from stepsize.estimates import Estimate
from stepsize.find._arguments import checked_count, largest_base
from stepsize.find._curvature import derivatives_of, differentiable, finite_gradient
from stepsize.messages import Message
from stepsize.training import Training, preserved
from stepsize.words import number_text

__all__ = ["gradient_heuristics"]

_GRADIENTS = 4
_RELATIVE_CHANGE = 1e-3
_DISTANCE = 0.1
_DOUBT = 10.0


def gradient_heuristics(training: Training, steps: int) -> Mapping[str, Estimate]:
    """Rates that follow from the gradient's and the parameters' sizes at the start.

    "relative change": the first update changes the parameters by a thousandth of their size,
    10⁻³ · |w| / |u|, where u is the update at rate 1: the gradient g, or its signs where the
    optimizer normalizes (|u| = √n). "distance": D / (|u| · √T), the rate of the convex bound for a
    run of T steps, with the distance to the optimum taken as a tenth of the parameters' size.

    Args:
        training: A ``Differentiable`` one.
        steps: T, length of the run in optimizer steps, >= 1.

    Returns:
        The rates by rule, each for the group with the largest base rate, right within a factor of
        about 10: they say the order of magnitude.

    Raises:
        InvalidType: The training offers no derivatives.
        InvalidValue: ``steps`` is below 1.
        TrainingError: The gradient, or the parameters, are 0 or not finite.

    >>> import torch
    >>> from stepsize.find import gradient_heuristics
    >>> from stepsize.torch import TorchTraining
    >>> model = torch.nn.Linear(1, 1, bias=False)
    >>> _ = torch.nn.init.ones_(model.weight)                       # w = 1, and the gradient is 3
    >>> sgd = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> data = [torch.ones(4, 1)]
    >>> training = TorchTraining(model, sgd, lambda model, x: 3 * model(x).mean(), data)
    >>> rates = gradient_heuristics(training, steps=100)
    >>> round(rates["relative change"].value, 5), round(rates["distance"].value, 5)
    (0.00033, 0.00333)

    Source: Karpathy 2015, CS231n notes, "Ratio of weights:updates"; Defazio et al. 2023 (arXiv
    2310.07831) for the distance.
    """
    call = f"gradient_heuristics(..., {steps!r})"
    count = checked_count(call, "steps", steps, 1, "It is the length of the run.")
    offered = differentiable(training, call)
    normalized = training.groups[0].beta2 is not None
    largest_base(call, training.groups)
    with preserved(offered):
        # Read inside: a derivative that is evaluated later would change what has been restored.
        first = derivatives_of(offered, call)
        parameters, gradients = first.parameters, [finite_gradient(first, call)]
        for _ in range(_GRADIENTS - 1):
            gradients.append(finite_gradient(derivatives_of(offered, call), call))
    size = float(np.linalg.norm(parameters))
    gradient = math.sqrt(math.fsum(float(each @ each) for each in gradients) / _GRADIENTS)
    update = math.sqrt(len(parameters)) if normalized else gradient
    if not (0 < size < math.inf and 0 < gradient < math.inf):
        raise TrainingError(
            call,
            "parameters and gradient must have a finite size above 0",
            f"it is {number_text(size)} and {number_text(gradient)}",
            "Check the initial values, the batch and the model for NaN.",
        )
    return {
        "relative change": _within(
            _RELATIVE_CHANGE * size / update,
            Message(
                "the first update changes the parameters by a thousandth of their size, |w| = "
                "{size:number 3} and |u| = {update:number 3}; an order of magnitude",
                size=size,
                update=update,
            ),
            "Karpathy 2015, CS231n",
        ),
        "distance": _within(
            _DISTANCE * size / (update * math.sqrt(count)),
            Message(
                "D / (|u| · √{steps:number}) with D a tenth of the parameters' size, |w| = "
                "{size:number 3} and |u| = {update:number 3}; an order of magnitude",
                steps=count,
                size=size,
                update=update,
            ),
            "Defazio et al. 2023 (arXiv 2310.07831)",
        ),
    }


def _within(value: float, reason: Message, source: str) -> Estimate:
    return Estimate(value, value / _DOUBT, value * _DOUBT, reason, source)
