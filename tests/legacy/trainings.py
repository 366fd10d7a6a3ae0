"""The trainings of the saved runs. Their arithmetic gives the same bits on every machine."""

import json
from collections.abc import Mapping, Sequence
from math import nan
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from stepsize.signals import Observation
from stepsize.torch import TorchTraining
from stepsize.training import Group

__all__ = ["Descent", "torch_adamw", "torch_sgd"]


class Descent:
    """Gradient descent with momentum and weight decay on a quadratic, with noise from the batch.

    Args:
        rate: The base rate; about 3 is the largest stable one.
        bad: Numbers of the batches whose loss and gradient are NaN.
        optimizers: Of how many optimizers the three coordinates are.
    """

    def __init__(self, rate: float = 0.1, bad: Sequence[int] = (), optimizers: int = 1) -> None:
        self.groups = tuple(Group(str(i), rate, optimizer=i) for i in range(optimizers))
        self._rate = rate
        self._bad = frozenset(bad)
        self._weights = np.array([1.0, -2.0, 0.5])
        self._momentum = np.zeros(3)
        self._next = 0

    @property
    def weights(self) -> list[float]:
        return self._weights.tolist()

    def step(self, factors: Mapping[str, Sequence[float]], /) -> Observation:
        curvature = np.array([1.0, 0.3, 0.1])
        noise = np.random.default_rng(self._next).standard_normal(3)
        is_bad = self._next in self._bad
        self._next += 1
        gradient = curvature * self._weights + 0.125 * noise
        gradient += 0.01 * factors.get("weight_decay", [1.0])[0] * self._weights
        if is_bad:
            gradient = gradient * nan
        loss = nan if is_bad else self._loss() + 0.03125 * float(noise[0])
        self._momentum = 0.5 * self._momentum + gradient
        each = np.resize(np.array(factors["lr"]), 3)  # the groups take turns
        self._weights = self._weights - self._rate * each * self._momentum
        return Observation({"loss": loss, "grad_norm": float(np.max(np.abs(gradient)))})

    def evaluate(self) -> Mapping[str, float]:
        return {"val_loss": self._loss()}

    def snapshot(self) -> Any:
        return [self._weights.tolist(), self._momentum.tolist(), self._next]

    def restore(self, snapshot: Any, /) -> None:
        weights, momentum, self._next = snapshot
        self._weights, self._momentum = np.array(weights), np.array(momentum)

    def pack(self, snapshot: Any, /) -> bytes:
        return json.dumps(snapshot).encode()

    def unpack(self, packed: bytes, /) -> Any:
        return json.loads(packed)

    def skip(self, steps: int, /) -> None:
        self._next += steps

    def _loss(self) -> float:
        first, second, third = (self._weights * self._weights).tolist()
        return first / 2 + 0.15 * second + 0.05 * third


class Slope(nn.Module):
    """Goes down a slope: the gradient is the input, whatever the weights are."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([8.0], dtype=torch.float64))
        self.bias = nn.Parameter(torch.tensor([4.0], dtype=torch.float64))
        self.register_buffer("seen", torch.zeros(1, dtype=torch.float64))

    def forward(self, batch: Tensor) -> Tensor:
        if self.training:
            self.seen.add_(batch)
        return (self.weight * batch + self.bias * batch * 0.5).sum()


def torch_sgd() -> TorchTraining:
    """Rates, gradients and momentum are short binary fractions: no sum is ever rounded."""
    model = Slope()
    groups = [
        {"params": [model.weight], "lr": 0.0625, "name": "weight"},
        {"params": [model.bias], "lr": 0.03125, "name": "bias"},
    ]
    data: Any = [torch.tensor([k / 8], dtype=torch.float64) for k in (1, 2, 3, 4, 5, 6, nan)]
    generator = torch.Generator().manual_seed(3)
    return TorchTraining(
        model,
        torch.optim.SGD(groups, lr=0.0625, momentum=0.5),
        loss=lambda model, batch: model(batch),
        batches=DataLoader(data, batch_size=None, shuffle=True, generator=generator),
        evaluate=lambda model: {"val_loss": float(model(torch.tensor([0.5])))},
    )


def torch_adamw() -> TorchTraining:
    model = Slope()
    return TorchTraining(
        model,
        torch.optim.AdamW(model.parameters(), lr=0.0625, betas=(0.75, 0.9375)),
        loss=lambda model, batch: model(batch),
        batches=[torch.tensor([k / 8], dtype=torch.float64) for k in (1, 5, 2)],
        accumulate=2,
        clip=0.5,
    )
