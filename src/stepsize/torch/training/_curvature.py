"""The derivatives of a torch training's loss, as the curvature estimates read them."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from itertools import compress
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.optim import Optimizer

from stepsize.errors import TrainingError

__all__: list[str] = []

Vector = NDArray[np.float64]


class TorchDerivatives:
    """One batch's loss around the present parameters, in the optimizer's order of parameters.

    Args:
        optimizer: Its groups' trainable parameters are the coordinates.
        loss: Gives the batch's loss. Called once: every product walks the same graph, so that
            dropout is the same in all of them.

    Raises:
        TrainingError: The optimizer has no trainable parameter.
    """

    def __init__(self, optimizer: Optimizer, loss: Callable[[], Tensor]) -> None:
        self._optimizer = optimizer
        self._loss = loss
        self._tensors = [
            parameter
            for group in optimizer.param_groups
            for parameter in group["params"]
            if parameter.requires_grad
        ]
        if not self._tensors:
            raise TrainingError(
                "derivatives()",
                "the optimizer's groups must have a trainable parameter",
                "have none",
                "Set requires_grad=True where it trains.",
            )

    @property
    def parameters(self) -> Vector:
        """The parameters now; shape (n,)."""
        return _flat(self._tensors)

    @cached_property
    def _gradients(self) -> Sequence[Tensor]:
        """With their graph."""
        with torch.enable_grad():
            loss = self._loss()
            if not loss.requires_grad:
                raise TrainingError(
                    "derivatives()",
                    "the loss must depend on the optimizer's parameters",
                    f"is a constant, {loss.item():g}",
                    "Check that nothing detaches it: no .item(), no .detach(), no "
                    "torch.no_grad() in loss(model, batch).",
                )
            found = torch.autograd.grad(loss, self._tensors, create_graph=True, allow_unused=True)
        return [
            torch.zeros_like(each) if gradient is None else gradient
            for each, gradient in zip(self._tensors, _unused(found), strict=True)
        ]

    @property
    def gradient(self) -> Vector:
        """The gradient; shape (n,)."""
        return _flat(self._gradients)

    @property
    def scales(self) -> Vector | None:
        """√v̂ + ε where the optimizer keeps a second moment of every parameter; else None."""
        found: list[Tensor] = []
        for group in self._optimizer.param_groups:
            for parameter in group["params"]:
                if parameter.requires_grad:
                    moment = _second_moment(self._optimizer.state.get(parameter, {}), group)
                    if moment is None:
                        return None
                    found.append(moment.sqrt() + group.get("eps", 0.0))
        return _flat(found)

    def hessian_vector(self, vector: Vector) -> Vector:
        """The Hessian times ``vector``; shape (n,)."""
        ends = np.cumsum([each.numel() for each in self._tensors])
        along = [
            torch.as_tensor(part, device=each.device, dtype=each.dtype).view_as(each)
            for part, each in zip(np.split(vector, ends[:-1]), self._tensors, strict=True)
        ]
        curved = [each.requires_grad for each in self._gradients]
        if not any(curved):
            return np.zeros_like(vector)
        products = torch.autograd.grad(
            list(compress(self._gradients, curved)),
            self._tensors,
            list(compress(along, curved)),
            retain_graph=True,
            allow_unused=True,
        )
        return _flat(
            [
                torch.zeros_like(each) if product is None else product
                for each, product in zip(self._tensors, _unused(products), strict=True)
            ]
        )


def _unused(gradients: Sequence[Tensor]) -> Sequence[Tensor | None]:
    """As they are: torch's types leave out the None of a tensor that the loss does not use."""
    return gradients


def _second_moment(state: Mapping[str, Any], group: Mapping[str, Any]) -> Tensor | None:
    """v̂ of Adam, RMSprop or Adagrad; None before the first step, or where there is none."""
    if "exp_avg_sq" in state:
        correction = 1 - group["betas"][1] ** float(state["step"])
        return state["exp_avg_sq"] / correction
    for name in ("square_avg", "sum"):
        if name in state:
            return state[name]
    return None


def _flat(tensors: Sequence[Tensor]) -> Vector:
    flat = [each.detach().reshape(-1).to(device="cpu", dtype=torch.float64) for each in tensors]
    return torch.cat(flat).numpy()
