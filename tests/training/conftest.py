"""A training whose every number is known: noisy least squares in NumPy, batch after batch."""

import json
from collections.abc import Callable, Mapping, Sequence
from math import nan
from typing import Any

import numpy as np
import pytest

from stepsize.signals import Observation
from stepsize.testing.training import check_training
from stepsize.training import Factors, Group, ValueRange

Batch = tuple[np.ndarray, np.ndarray]
Change = Callable[[Batch], Batch]


class Stream:
    """Gradient descent with momentum on batches that are drawn from their number alone.

    Args:
        rate: The base rate; about 0.8 is the largest stable one.
        changed: By number, what is done to a batch.
        missing: Numbers that are left out of the data.
        glitches: By count of steps ever taken, what that step's gradient is multiplied by.
        optimizers: Of how many optimizers the coordinates are.
    """

    def __init__(
        self,
        rate: float = 0.1,
        changed: Mapping[int, Change] | None = None,
        missing: Sequence[int] = (),
        glitches: Mapping[int, float] | None = None,
        optimizers: int = 1,
    ) -> None:
        self.groups = tuple(Group(str(i), rate, optimizer=i) for i in range(optimizers))
        self._rate = rate
        self._changed = changed or {}
        self._missing = set(missing)
        self._glitches = glitches or {}
        self.taken = 0  # steps ever, also those that were taken back
        self.used: list[int] = []  # batches of the steps that stand
        self.weights = np.zeros(4)
        self._momentum = np.zeros(4)
        self._next = 0
        self._last: Batch | None = None
        self._gradient = np.zeros(4)

    def _draw(self) -> tuple[int, Batch]:
        while self._next in self._missing:
            self._next += 1
        number, self._next = self._next, self._next + 1
        random = np.random.default_rng(number)
        x = random.standard_normal((8, 4))
        batch = x, x @ np.array([1.0, -2.0, 0.5, 3.0]) + 0.3 * random.standard_normal(8)
        return number, self._changed.get(number, lambda same: same)(batch)

    def step(self, factors: Factors, /) -> Observation:
        number, (x, y) = self._draw()
        self._last = x, y
        with np.errstate(all="ignore"):
            error = x @ self.weights - y
            loss = float(np.mean(error**2))
            self._gradient = 2 * x.T @ error / len(y) * self._glitches.get(self.taken, 1.0)
            self._momentum = 0.5 * self._momentum + self._gradient
            each = np.resize(np.array(factors["lr"]), 4)  # the groups take turns
            self.weights = self.weights - self._rate * each * self._momentum
        self.taken += 1
        self.used.append(number)
        return Observation({"loss": loss})

    def evaluate(self) -> Mapping[str, float]:
        return {}

    def snapshot(self) -> Any:
        return [self.weights.tolist(), self._momentum.tolist(), self._next, list(self.used)]

    def restore(self, snapshot: Any, /) -> None:
        weights, momentum, self._next, used = snapshot
        self.weights, self._momentum = np.array(weights), np.array(momentum)
        self.used = list(used)

    def pack(self, snapshot: Any, /) -> bytes:
        return json.dumps(snapshot).encode()

    def unpack(self, packed: bytes, /) -> Any:
        return json.loads(packed)

    def skip(self, steps: int, /) -> None:
        for _ in range(steps):
            self._draw()

    def examine(self) -> Sequence[ValueRange]:
        assert self._last is not None
        named = {"x": self._last[0], "y": self._last[1], "the gradient": self._gradient}
        return [_part(name, values) for name, values in named.items()]


def _part(name: str, values: np.ndarray) -> ValueRange:
    finite = values[np.isfinite(values)]
    low, high = (finite.min(), finite.max()) if finite.size else (nan, nan)
    return ValueRange(name, float(low), float(high), int(values.size - finite.size))


@pytest.fixture(scope="session")
def stream() -> type[Stream]:
    check_training(Stream)
    return Stream
