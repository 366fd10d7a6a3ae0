"""One small training, a logistic regression with noisy batches, in NumPy, in JAX and in torch."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from torch.nn import functional

from stepsize.signals import Observation
from stepsize.torch import TorchTraining
from stepsize.training import Factors, Group, Training

BASE = 0.01
BATCH = 16


def table() -> tuple[np.ndarray, np.ndarray]:
    """Inputs of different scales and noisy labels; the last quarter is for evaluation."""
    draw = np.random.default_rng(3)
    inputs = draw.standard_normal((256, 4)) * np.array([2.0, 1.0, 0.5, 0.25])
    labels = (inputs @ np.array([1.0, -1.0, 2.0, 2.0]) + draw.standard_normal(256) > 0) * 1.0
    return inputs, labels


INPUTS, LABELS = table()
TRAINED, KEPT = slice(0, 192), slice(192, 256)


class Regression:
    """Stochastic gradient descent; ``gradient(weights, x, y)`` -> (loss, gradient)."""

    def __init__(self, gradient: Callable[..., tuple[float, Any]]) -> None:
        self._gradient = gradient
        self._weights = np.zeros(4)
        self._position = 0

    @property
    def groups(self) -> Sequence[Group]:
        return (Group("weights", BASE),)

    def step(self, factors: Factors) -> Observation:
        draw = np.random.default_rng(self._position)
        rows = draw.choice(192, BATCH, replace=False)
        loss, gradient = self._gradient(self._weights, INPUTS[rows], LABELS[rows])
        self._weights = self._weights - BASE * factors["lr"][0] * np.asarray(gradient)
        self._position += 1
        return Observation({"loss": float(loss)})

    def evaluate(self) -> Mapping[str, float]:
        return {"val_loss": float(self._gradient(self._weights, INPUTS[KEPT], LABELS[KEPT])[0])}

    def snapshot(self) -> Any:
        return self._weights.copy(), self._position

    def restore(self, snapshot: Any) -> None:
        weights, self._position = snapshot
        self._weights = weights.copy()


def by_numpy(weights: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    scores = x @ weights
    loss = np.mean(np.logaddexp(0, scores) - y * scores)
    return float(loss), x.T @ (1 / (1 + np.exp(-scores)) - y) / len(y)


@jax.jit
@jax.value_and_grad
def by_jax(weights: Any, x: Any, y: Any) -> Any:
    scores = x @ weights
    return jnp.mean(jnp.logaddexp(0, scores) - y * scores)


def in_torch(lr: float = BASE) -> TorchTraining:
    torch.manual_seed(0)
    model = torch.nn.Linear(4, 1)
    x = torch.tensor(INPUTS, dtype=torch.float32)
    y = torch.tensor(LABELS, dtype=torch.float32)

    def loss(model: Any, batch: Any) -> torch.Tensor:
        return functional.binary_cross_entropy_with_logits(model(batch[0]).squeeze(-1), batch[1])

    def epoch(number: int) -> Any:
        order = torch.randperm(192, generator=torch.Generator().manual_seed(number))
        return ((x[rows], y[rows]) for rows in order.split(BATCH))

    return TorchTraining(
        model,
        torch.optim.Adam(model.parameters(), lr=lr),
        loss,
        epoch,
        lambda model: {"val_loss": loss(model, (x[KEPT], y[KEPT])).item()},
    )


BUILDERS: dict[str, Callable[[], Training]] = {
    "numpy": lambda: Regression(by_numpy),
    "jax": lambda: Regression(by_jax),
    "torch": in_torch,
}


@pytest.fixture(params=BUILDERS)
def build(request: pytest.FixtureRequest) -> Callable[[], Training]:
    """Makes a fresh training; each framework in turn."""
    return BUILDERS[request.param]


@pytest.fixture
def torch_training() -> TorchTraining:
    return in_torch()


class Faulty:
    """A training with a fault; what is not overridden goes to the real one."""

    def __init__(self, inner: Training) -> None:
        self._inner = inner
        self.taken = 0

    @property
    def groups(self) -> Sequence[Group]:
        return self._inner.groups

    def step(self, factors: Factors) -> Observation:
        self.taken += 1
        return self._inner.step(factors)

    def evaluate(self) -> Mapping[str, float]:
        return self._inner.evaluate()

    def snapshot(self) -> Any:
        return self._inner.snapshot()

    def restore(self, snapshot: Any) -> None:
        self._inner.restore(snapshot)


class MeasuresNan(Faulty):
    def evaluate(self) -> Mapping[str, float]:
        return {"val_loss": float("nan")}


class RunsDry(Faulty):
    def step(self, factors: Factors) -> Observation:
        if self.taken == 30:
            raise StopIteration
        return super().step(factors)


class IsConstant(Faulty):
    def step(self, factors: Factors) -> Observation:
        super().step(factors)
        return Observation({"loss": 0.5})

    def evaluate(self) -> Mapping[str, float]:
        return {"val_loss": 0.5}


class Breaks(Faulty):
    def step(self, factors: Factors) -> Observation:
        if self.taken == 25:
            raise ZeroDivisionError("inside the model")
        return super().step(factors)


FAULTS: dict[str, tuple[Callable[[Training], Training], str]] = {
    "evaluate returns NaN": (MeasuresNan, "finite 'val_loss' before any step, but gave nan"),
    "the batches end": (RunsDry, "the batches ended after 30 steps"),
    "the loss is constant": (IsConstant, "0.5 at e"),
    "a step raises": (Breaks, "ZeroDivisionError: inside the model"),
}


@pytest.fixture(params=FAULTS)
def fault(request: pytest.FixtureRequest) -> tuple[Callable[[Training], Training], str]:
    """What is wrong with a training, and what the message must name."""
    return FAULTS[request.param]
