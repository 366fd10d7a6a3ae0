"""What every training must pass, and a small one in plain NumPy."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from stepsize.signals import Observation
from stepsize.training import Factors, Group, Training, preserved

__all__ = ["Bowl", "check_training"]


class Bowl:
    """Noisy gradient descent on a quadratic: loss = mean(curvature · x²) / 2.

    Stable below rate 2 / max(curvature) and diverging above: a training whose answer is known.

    Args:
        rate: The base rate.
        curvature: One eigenvalue per coordinate.
        noise: Standard deviation of the gradient noise.
        seed: Seed of the noise.
    """

    def __init__(
        self,
        rate: float = 0.1,
        curvature: Sequence[float] = (1.0, 0.3, 0.1),
        noise: float = 0.0,
        seed: int = 0,
    ) -> None:
        self._rate = rate
        self._curvature = np.asarray(curvature, dtype=np.float64)
        self._noise = noise
        self._random = np.random.default_rng(seed)
        self._x = np.ones_like(self._curvature)

    @property
    def groups(self) -> Sequence[Group]:
        """One group."""
        return (Group("x", self._rate),)

    def step(self, factors: Factors) -> Observation:
        """One step of gradient descent; the loss is the one before the step."""
        loss = self._loss()
        gradient = self._curvature * self._x
        gradient += self._noise * self._random.standard_normal(self._x.shape)
        self._x = self._x - self._rate * factors["lr"][0] * gradient
        return Observation({"loss": loss})

    def evaluate(self) -> Mapping[str, float]:
        """The loss now."""
        return {"val_loss": self._loss()}

    def snapshot(self) -> Any:
        """The coordinates and the state of the noise."""
        return self._x.copy(), self._random.bit_generator.state

    def restore(self, snapshot: Any) -> None:
        """Back to a snapshot."""
        coordinates, random = snapshot
        self._x = coordinates.copy()
        self._random.bit_generator.state = random

    def _loss(self) -> float:
        return float(np.mean(self._curvature * self._x**2) / 2)


def check_training(build: Callable[[], Training], steps: int = 7, factor: float = 0.5) -> None:
    """The exam: raises AssertionError where ``build``'s trainings break the protocol.

    Args:
        build: Makes a fresh training; two of them must be equal.
        steps: How far to go; make it longer than an epoch.
        factor: The factor of the base rate to go at.
    """
    training = build()
    assert isinstance(training, Training), (
        "a training has groups, step, evaluate, snapshot, restore"
    )
    groups = training.groups
    assert groups, "a training has at least one group"
    factors = {"lr": [factor] * len(groups)}

    def losses(count: int) -> list[float]:
        return [training.step(factors).metrics["loss"] for _ in range(count)]

    start = training.snapshot()
    straight = losses(2 * steps)
    training.restore(start)
    assert losses(2 * steps) == straight, "after restore() the same steps give the same losses"
    training.restore(start)
    first = losses(steps)
    middle = training.snapshot()
    second = losses(steps)
    training.restore(middle)
    assert losses(steps) == second, "a snapshot taken on the way leads on as the first time"
    assert first + second == straight, "taking a snapshot changes nothing"
    training.restore(middle)
    training.evaluate()
    assert losses(steps) == second, "evaluating changes nothing"
    training.restore(start)
    assert losses(2 * steps) == straight, "an old snapshot still leads to its own future"
    training.restore(start)
    try:
        with preserved(training):
            training.step(factors)
            raise _Interruption
    except _Interruption:
        pass
    assert losses(2 * steps) == straight, "an error inside preserved() leaves no trace"
    training.restore(start)
    assert tuple(training.groups) == tuple(groups), "groups and base rates do not move"


class _Interruption(Exception):
    pass
